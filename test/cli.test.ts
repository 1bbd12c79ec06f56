import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { decode } from 'fast-png';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assemble } from '../src/index.ts';
import { MULTIBOOT_KERNEL } from './multiboot-kernel.ts';

const SKEP = resolve('dist/cli/main.js');
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-cli-'));
  process.env.SKEP_RUNDIR = join(folder, 'run');
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function skep(args: readonly string[], input = ''): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SKEP, ...args], {
    encoding: 'utf8',
    cwd: folder,
    input,
  });
  return { status, stdout, stderr };
}

/** A boot ROM of 64 KiB that starts with this 16-bit code. */
function rom(name: string, code: string): string {
  const source = `org 0\nbits 16\nstart:\n${code}\ntimes 0xfff0 - ($ - $$) db 0x90\njmp 0xf000:0\ntimes 0x10000 - ($ - $$) db 0\n`;
  writeFileSync(join(folder, name), assemble(source).bytes);
  return name;
}

test('a module of a kernel may have a command line of its own behind its file', () => {
  writeFileSync(join(folder, 'kernel'), MULTIBOOT_KERNEL);
  writeFileSync(join(folder, 'module'), 'text of the module');
  const options = [
    '--kernel',
    'kernel',
    '--append',
    '5',
    '--initrd',
    'module of=its own,module',
    '--debug-exit',
    '0xf4',
  ];
  const { status, stdout } = skep(['run', ...options]);
  expect(stdout).toBe('kernel 5\ntext of the module\ntext of the module\n');
  expect(status).toBe((5 << 1) | 1);
});

describe('bad input gets one clear line and status 2:', () => {
  beforeAll(() => {
    for (const length of [0, 4095, 4097, 16 * 1024 * 1024 + 4096]) {
      writeFileSync(join(folder, `${length}.rom`), new Uint8Array(length));
    }
    mkdirSync(join(folder, 'directory'));
    writeFileSync(join(folder, 'good.rom'), new Uint8Array(4096));
  });

  test.each<[string, string[], RegExp]>([
    ['no such command', ['walk'], /unknown command 'walk'/],
    ['an unknown option', ['run', '--colour'], /unknown option '--colour'/],
    ['an unknown short option', ['run', '-x'], /unknown option '-x'/],
    ['a word that is no option', ['run', 'fast'], /unexpected argument 'fast'/],
    ['an option given twice', ['run', '--memory', '1M', '--memory', '2M'], /'--memory' is given twice/],
    ['an option without its value', ['run', '--memory'], /'--memory' needs a value: SIZE/],
    ['a flag with a value', ['run', '--trace-map=yes'], /'--trace-map' takes no value/],
    ['a boot ROM that is not there', ['run', '--bootrom', 'none.rom'], /'none.rom': no such file/],
    ['a boot ROM that is a directory', ['run', '--bootrom', 'directory'], /'directory': it is a directory/],
    ['a boot ROM that is a device', ['run', '--bootrom', '/dev/zero'], /'\/dev\/zero': it is not a regular file/],
    ['a boot ROM of 0 bytes', ['run', '--bootrom', '0.rom'], /boot ROM of 0 bytes .*multiple of 4096/],
    ['a boot ROM of 4095 bytes', ['run', '--bootrom', '4095.rom'], /boot ROM of 4095 bytes .*multiple of 4096/],
    ['a boot ROM of 4097 bytes', ['run', '--bootrom', '4097.rom'], /boot ROM of 4097 bytes .*multiple of 4096/],
    ['a boot ROM over 16 MiB', ['run', '--bootrom', '16781312.rom'], /16781312 bytes .*at most 16777216/],
    ['variables that are not there', ['run', '--bootrom', 'good.rom,vars=none'], /'none': no such file/],
    [
      'variables that are a directory',
      ['run', '--bootrom', 'good.rom,vars=directory'],
      /'directory': it is a directory/,
    ],
    ['variables of 0 bytes', ['run', '--bootrom', 'good.rom,vars=0.rom'], /0 bytes of flash 'vars' .*multiple of 4096/],
    [
      'variables of 4097 bytes',
      ['run', '--bootrom', 'good.rom,vars=4097.rom'],
      /4097 bytes of flash 'vars' .*multiple of 4096/,
    ],
    [
      'flash over 16 MiB',
      ['run', '--bootrom', '16781312.rom,vars=good.rom'],
      /16781312 bytes of flash 'bootrom' .*all flash at most 16777216/,
    ],
    ['an option ROM that is not there', ['run', '--option-rom', 'none'], /'none': no such file/],
    ['an option ROM of 0 bytes', ['run', '--option-rom', '0.rom'], /option ROM of 0 bytes/],
    [
      'an option ROM without a display',
      ['run', '--option-rom', 'good.rom', '--framebuffer', 'off'],
      /needs the display/,
    ],
    ['an empty memory size', ['run', '--memory', ''], /'--memory' needs a value/],
    ['a negative memory size', ['run', '--memory=-1'], /memory size '-1'/],
    ['a memory size with garbage', ['run', '--memory', '1GB'], /memory size '1GB'/],
    ['no memory', ['run', '--memory', '0'], /memory of 0 bytes is less than the least/],
    ['half a page of memory', ['run', '--memory', '1050624'], /not a multiple of 4096/],
    ['memory too large for the arena', ['run', '--memory', '4G'], /memory of 4 GiB does not fit/],
    ['memory beyond any address', ['run', '--memory', '7P'], /does not fit/],
    ['a device that is none', ['run', '--device', 'nic'], /device 'nic' is neither dma-engine nor/],
    ['a device behind the IOMMU without --wire', ['run', '--device', 'dma-engine,iommu'], /IOMMU needs .* to be wired/],
    ['a resolution that is none', ['run', '--framebuffer', 'big'], /framebuffer 'big' is neither/],
    ['a resolution that is too large', ['run', '--framebuffer', '4096x4096'], /4096x4096 needs more than/],
    ['a resolution that is too small', ['run', '--framebuffer', '8x8'], /at least 320x200/],
    ['a serial port to nowhere', ['run', '--serial', 'tcp:1'], /'--serial' is 'tcp:1'/],
    ['a serial port to a file without a name', ['run', '--serial', 'file:'], /'--serial' is 'file:'/],
    [
      'a serial port to a directory',
      ['run', '--serial', 'file:directory'],
      /cannot write 'directory': it is a directory/,
    ],
    ['a debug console to standard output', ['run', '--debugcon', 'stdio'], /'--debugcon' is 'stdio'/],
    ['core dumps with and without the guest', ['run', '--core', '--no-core'], /'--core' and '--no-core' exclude/],
    ['an unknown firmware console', ['run', '--firmware-console', 'tv'], /'--firmware-console' is 'tv'/],
    ['a time limit of nothing', ['run', '--time-limit', '0'], /time limit '0'/],
    ['a time limit that is no number', ['run', '--time-limit', 'soon'], /time limit 'soon'/],
    ['an endless time limit', ['run', '--time-limit', 'Infinity'], /time limit 'Infinity'/],
    ['a screenshot where nothing can be', ['run', '--screenshot', 'none/s.png'], /cannot write 'none\/s.png'/],
    ['a screenshot onto a directory', ['run', '--screenshot', 'directory'], /'directory': it is a directory/],
    ['a kernel that is not there', ['run', '--kernel', 'none'], /'none': no such file/],
    [
      'a kernel that is no kernel',
      ['run', '--kernel', 'good.rom'],
      /kernel 'good.rom' is no bzImage, ELF file or multi/,
    ],
    ['an empty kernel', ['run', '--kernel', '0.rom'], /kernel '0.rom' is no bzImage/],
    [
      'a boot ROM with a kernel that it cannot start',
      ['run', '--kernel', 'good.rom', '--bootrom', 'good.rom'],
      /kernel 'good.rom' is no bzImage, and firmware starts no other kind/,
    ],
    ['a module that is not there', ['run', '--kernel', 'good.rom', '--initrd', 'none x=1'], /'none': no such file/],
    ['an initrd without a kernel', ['run', '--initrd', 'a'], /initrd 'a' needs a kernel/],
    ['a command line without a kernel', ['run', '--append', 'a'], /command line 'a' needs a kernel/],
    ['an exit device at no port', ['run', '--debug-exit', 'f4'], /debug exit port 'f4' is not a number/],
    ['an exit device beyond all ports', ['run', '--debug-exit', '65536'], /debug exit port '65536'/],
    ['an exit device on the serial port', ['run', '--debug-exit', '0x3f8'], /cannot be at port 0x3f8/],
    ['a name with a dot', ['run', '--name', 'a.b'], /name 'a.b' has characters other than/],
    ['a name that is too long', ['run', '--name', 'n'.repeat(32)], /has 32 characters/],
  ])('%s', (_what, args, complaint) => {
    const { status, stdout, stderr } = skep(args);
    expect(stderr).toMatch(complaint);
    expect(stderr).toMatch(/^skep: [^\n]*\n$/);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });

  test.skipIf(process.getuid?.() === 0)(
    'a boot ROM that may not be read [skipped for root, who may read anything]',
    () => {
      chmodSync(join(folder, 'good.rom'), 0);
      expect(skep(['run', '--bootrom', 'good.rom']).stderr).toMatch(/permission denied/);
    },
  );
});

describe('help', () => {
  test('comes without a command, and says what every status means', () => {
    const { status, stdout } = skep([]);
    expect(stdout).toContain('usage: skep COMMAND');
    expect(stdout).toContain('exit status:');
    expect(status).toBe(0);
  });

  test.each([[['help', 'run']], [['run', '--help']], [['run', '-h']]])('%j lists every option of run', (args) => {
    const { stdout } = skep(args);
    for (const option of [
      '--bootrom FILE[,vars=FILE]',
      '--memory SIZE',
      '--trace-map',
      '--deterministic',
      '--screenshot FILE.png',
    ]) {
      expect(stdout).toContain(option);
    }
  });
});

describe('skep run', () => {
  test('runs the built-in guest to its power-off, and shows the map before and after each move', () => {
    const { status, stdout, stderr } = skep(['run', '--screenshot', 'hello.png']);
    expect(stdout).toContain('Hello from the boot ROM');
    expect(stdout.match(/the picture came along/g)).toHaveLength(2);
    expect(stdout).toContain('a write to my own ROM changed nothing');
    expect(stdout.match(/^Address +Length +Segment/gm)).toHaveLength(4);
    for (const address of ['E0000000', 'C8000000', 'F4000000']) {
      expect(stdout).toMatch(new RegExp(`^${address} +16384KB +framebuffer +devmem +0 +RW-$`, 'm'));
    }
    expect(stderr).toMatch(/^skep: the guest powered off after/);
    expect(status).toBe(0);
    const { width, height } = decode(readFileSync(join(folder, 'hello.png')));
    expect([width, height]).toEqual([640, 480]);
  });

  test('without a display, the built-in guest says so and powers off', () => {
    const { status, stdout } = skep(['run', '--framebuffer', 'off']);
    expect(stdout).toContain('no display on PCI');
    expect(status).toBe(0);
  });

  test('repeats a deterministic run byte for byte', () => {
    const args = ['run', '--deterministic', '--trace-map'];
    const [first, second] = [skep(args), skep(args)];
    expect(first.stderr).toMatch(
      /pci 02\.0 \[10\] = c8000000: {2}-framebuffer e0000000-e0ffffff rw- {2}\+framebuffer c8000000/,
    );
    expect(second).toEqual(first);
  });

  test('ends with status 1 and shows registers and map when the guest dies of a triple fault', () => {
    const { status, stderr } = skep(['run', '--bootrom', rom('triple.rom', 'lidt [cs:none]\nint3\nnone: dw 0\ndd 0')]);
    expect(stderr).toContain('the guest died of a triple fault');
    expect(stderr).toMatch(/rip 000000000000[0-9a-f]{4}/);
    expect(stderr).toMatch(/^FFFF0000 +65536B +bootrom/m);
    expect(status).toBe(1);
  });

  test.each([
    ['a guest that computes', 'jmp $'],
    ['a guest that sleeps', 'cli\nhlt'],
  ])('ends with status 3 when the time limit is reached by %s', (_what, code) => {
    const image = rom('loop.rom', code);
    const { status, stderr } = skep(['run', '--bootrom', image, '--time-limit', '0.2', '--deterministic']);
    expect(stderr).toMatch(/^skep: time limit reached after 0\.2/);
    expect(status).toBe(3);
  });

  test('writes the serial port and the debug console to files', () => {
    const code = "mov dx, 0x3f8\nmov al, 's'\nout dx, al\nmov dx, 0x402\nmov al, 'd'\nout dx, al\nmov dx, 0x402\njmp $";
    const image = rom('files.rom', code);
    const sinks = ['--serial', 'file:serial', '--debugcon', 'file:debug'];
    skep(['run', '--bootrom', image, ...sinks, '--time-limit', '0.05', '--deterministic']);
    expect(readFileSync(join(folder, 'serial'), 'utf8')).toBe('s');
    expect(readFileSync(join(folder, 'debug'), 'utf8')).toBe('d');
  });

  test('hands standard input to the serial port', async () => {
    const code = `again: mov dx, 0x3fd\nin al, dx\ntest al, 1\njz again\nmov dx, 0x3f8\nin al, dx\nout dx, al\njmp again`;
    const text = 'abc'.repeat(100);
    const child = spawn(process.execPath, [SKEP, 'run', '--bootrom', rom('echo.rom', code)], { cwd: folder });
    child.stdin.end(text);
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (stdout.length >= text.length) child.kill('SIGINT');
    });
    await new Promise((resolve) => child.on('exit', resolve));
    expect(stdout).toBe(text);
  });

  test('ends cleanly on Ctrl-C', async () => {
    const code = "mov dx, 0x3f8\nmov al, '!'\nout dx, al\ncli\nhlt";
    const child = spawn(process.execPath, [SKEP, 'run', '--bootrom', rom('wait.rom', code)], { cwd: folder });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout.on('data', () => child.kill('SIGINT'));
    const status = await new Promise((resolve) => child.on('exit', resolve));
    expect(stderr).toMatch(/^skep: interrupted after/);
    expect(status).toBe(130);
  });

  test('without a name, a machine has the first of skep, skep-2 and so on that is free', async () => {
    const args = ['run', '--bootrom', rom('here.rom', "mov dx, 0x3f8\nmov al, '!'\nout dx, al\ncli\nhlt")];
    const children = [];
    for (const names of ['skep\n', 'skep\nskep-2\n', 'skep\nskep-2\nskep-3\n']) {
      const child = spawn(process.execPath, [SKEP, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      expect(skep(['list', '--names']).stdout).toBe(names);
    }
    expect(skep([...args, '--name', 'skep-2'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/machine skep-2 is running already/),
    });
    const ends = children.map((child) => new Promise((resolve) => child.on('exit', resolve)));
    for (const child of children) child.kill('SIGINT');
    expect(await Promise.all(ends)).toEqual([130, 130, 130]);
  });

  test('leaves no screenshot, and says why, when the guest has no picture', () => {
    const { status, stderr } = skep([
      'run',
      '--bootrom',
      rom('dark.rom', 'jmp $'),
      '--time-limit',
      '0.05',
      '--screenshot',
      'dark.png',
    ]);
    expect(stderr).toContain("no screenshot 'dark.png': the guest has not turned a display on");
    expect(() => statSync(join(folder, 'dark.png'))).toThrow('ENOENT');
    expect(status).toBe(2);
  });
});
