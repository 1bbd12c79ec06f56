import { ConfigError } from '../machine/config-error.ts';
import type { Operand } from './arguments.ts';
import { STATUS, type Command } from './command.ts';
import { print } from './output.ts';

type Table = readonly Command[];

const options = ({ options: rows }: Command): string[] => rows.map(({ name }) => `--${name}`);

/** In single quotes, as sh, zsh and fish all take it but for the quote itself. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** What bash runs to get the words for an operand. */
function bashWords({ offers }: Operand): string {
  if (offers === 'machines') return 'compgen -W "$(skep list --names 2>/dev/null)" -- "$word"';
  if (offers === 'files') return 'compgen -f -- "$word"';
  return offers === undefined ? ':' : `compgen -W ${quote(offers.join(' '))} -- "$word"`;
}

/** The place of a word is counted without options; what an option takes is taken for a file. */
function bash(commands: Table): string {
  const cases = commands.map((command) => {
    const operands = (command.operands ?? []).map((operand, index) => `      ${index}) ${bashWords(operand)} ;;`);
    return [
      `    ${command.name})`,
      `      case "$word" in -*) compgen -W ${quote([...options(command), '--help'].join(' '))} -- "$word"; return ;; esac`,
      ...(operands.length === 0 ? [] : ['      case "$place" in', ...operands, '      esac']),
      '      ;;',
    ].join('\n');
  });
  return `# bash completion of skep; source it, or keep it in ~/.local/share/bash-completion/completions/skep
_skep_words() {
  local word="$1" command="$2" place="$3"
  case "$command" in
    '') compgen -W ${quote([...commands.map(({ name }) => name), 'help'].join(' '))} -- "$word" ;;
    help) compgen -W ${quote(commands.map(({ name }) => name).join(' '))} -- "$word" ;;
${cases.join('\n')}
  esac
}
_skep() {
  local word="\${COMP_WORDS[COMP_CWORD]}" command='' place=0 index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "\${COMP_WORDS[index]}" in
      -*) ;;
      *) if [ -z "$command" ]; then command="\${COMP_WORDS[index]}"; else place=$((place + 1)); fi ;;
    esac
  done
  mapfile -t COMPREPLY < <(_skep_words "$word" "$command" "$place")
}
complete -o bashdefault -o default -F _skep skep
`;
}

/** Colons part the pieces of what _arguments takes; brackets end a description. */
const zshText = (text: string): string => text.replaceAll(/[[\]:]/g, String.raw`\$&`);

function zshAction({ offers }: Operand): string {
  if (offers === 'machines') return '_skep_machines';
  if (offers === 'files') return '_files';
  return offers === undefined ? ' ' : `(${offers.join(' ')})`;
}

function zsh(commands: Table): string {
  const names = commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join('\n');
  const cases = commands.map((command) => {
    const rows = [
      ...command.options.map(({ name, value, summary }) => {
        const argument = value === undefined ? '' : `:${zshText(value)}:_files`;
        return quote(`--${name}[${zshText(summary)}]${argument}`);
      }),
      ...(command.operands ?? []).map((operand) => {
        const colons = operand.optional === true ? '::' : ':';
        return quote(`${colons}${zshText(operand.name)}:${zshAction(operand)}`);
      }),
    ];
    return `    ${command.name}) _arguments ${rows.join(' ')} ;;`;
  });
  return `#compdef skep
# zsh completion of skep; keep it as _skep in a folder of $fpath
_skep_machines() {
  local -a machines
  machines=(\${(f)"$(skep list --names 2>/dev/null)"})
  _describe machine machines
}
_skep() {
  local -a commands
  commands=(
${names}
    'help:print help'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=\${words[2]}
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
    help) _describe command commands ;;
  esac
}
if [ "$funcstack[1]" = _skep ]; then _skep "$@"; else compdef _skep skep; fi
`;
}

function fish(commands: Table): string {
  const lines = ['# fish completion of skep; keep it as ~/.config/fish/completions/skep.fish', 'complete -c skep -f'];
  for (const command of commands) {
    const { name, summary, options: rows, operands = [] } = command;
    lines.push(`complete -c skep -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`);
    const seen = `-n '__fish_seen_subcommand_from ${name}'`;
    for (const row of rows) {
      const takes = row.value === undefined ? '' : ' -r -F';
      lines.push(`complete -c skep ${seen} -l ${row.name} -d ${quote(row.summary)}${takes}`);
    }
    for (const { offers } of operands) {
      if (offers === 'machines') lines.push(`complete -c skep ${seen} -a '(skep list --names 2>/dev/null)'`);
      else if (offers === 'files') lines.push(`complete -c skep ${seen} -F`);
      else if (offers !== undefined) lines.push(`complete -c skep ${seen} -a ${quote(offers.join(' '))}`);
    }
  }
  const names = commands.map(({ name }) => name).join(' ');
  lines.push(`complete -c skep -n __fish_use_subcommand -a help -d 'print help'`);
  lines.push(`complete -c skep -n '__fish_seen_subcommand_from help' -a ${quote(names)}`);
  return `${lines.join('\n')}\n`;
}

const SHELLS: Readonly<Record<string, (commands: Table) => string>> = { bash, zsh, fish };

/** A script that completes every command, made from the table that it is itself a row of. */
export function completion(commands: () => Table): Command {
  const shells = Object.keys(SHELLS);
  return {
    name: 'completion',
    summary: 'print a completion script for a shell',
    operands: [{ name: 'SHELL', summary: shells.join(', '), offers: shells }],
    options: [],
    async run(given) {
      const shell = given.get('SHELL') ?? '';
      const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
      if (script === undefined) throw new ConfigError(`shell '${shell}' is none of ${shells.join(', ')}`);
      await print(script(commands()));
      return STATUS.DONE;
    },
  };
}
