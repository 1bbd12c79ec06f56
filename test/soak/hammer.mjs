// Asks the control sockets of machines everything, over and over, on several connections, and holds the answers against
// moving-guest.ts. Ends with its input, and then prints what it has seen, as JSON.
//
// Usage: node hammer.mjs RUNDIR SEED IDENTITY...
import { request } from 'node:http';
import { join } from 'node:path';
import { LENGTH, START, wrongAtRest } from './pattern.mjs';

const [folder, seedText, ...identities] = process.argv.slice(2);
const seen = { answers: {}, wrong: [], moves: 0 };
const HANDS = 12;
const end = new AbortController();

/** Numbers below a limit; mulberry32, by Tommy Ettinger. */
let state = Number(seedText);
function random(limit) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % limit;
}

/** What happens to whoever asks a machine that ends meanwhile. */
const GONE = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

function ask(name, path, { method = 'GET', body } = {}) {
  return new Promise((resolve) => {
    const gone = (error) => {
      if (!GONE.has(error.code)) seen.wrong.push(`${name} ${method} ${path}: ${error.message}`);
      resolve(undefined);
    };
    request({ socketPath: join(folder, `${name}.sock`), path, method, agent: false }, (response) => {
      const pieces = [];
      response.on('data', (piece) => pieces.push(piece)).on('error', gone);
      response.on('end', () => {
        const { statusCode } = response;
        const key = `${method} ${path.replace(/0x[0-9a-f]+|\d+/g, 'N')} ${statusCode}`;
        seen.answers[key] = (seen.answers[key] ?? 0) + 1;
        if (statusCode >= 500) seen.wrong.push(`${name} ${key}: ${Buffer.concat(pieces).toString()}`);
        resolve(statusCode < 300 ? Buffer.concat(pieces) : undefined);
      });
    })
      .on('error', gone)
      .end(body);
  });
}

const complain = (name, what) => what !== undefined && seen.wrong.push(`${name}: ${what}`);
const json = (bytes) => bytes && JSON.parse(bytes.toString());

async function checkPattern(name, identity) {
  const bytes = await ask(name, `/memory/segments/framebuffer/bytes?offset=${START}&length=${LENGTH}`);
  if (bytes) complain(name, wrongAtRest(bytes, identity));
}

/** Every hand has a slot of its own, so whatever it wrote is there; zeros when another machine of the name has come. */
async function checkWrite(name, hand) {
  const path = `/memory/segments/framebuffer/bytes?offset=${0x20000 + 64 * hand}`;
  const bytes = Buffer.from(Array.from({ length: 64 }, () => 1 + random(255)));
  if (!(await ask(name, path, { method: 'PUT', body: bytes }))) return;
  const found = await ask(name, `${path}&length=64`);
  if (found && !found.equals(bytes) && found.some((byte) => byte !== 0)) complain(name, 'a write is gone');
}

async function checkMap(name) {
  const { mappings = [] } = json(await ask(name, '/memory/map')) ?? {};
  const places = mappings.filter(({ segment }) => segment === 'framebuffer');
  if (places.length > 1) complain(name, `its framebuffer is at ${places.length} places at once`);
  if (mappings.some(({ gpa }, index) => index > 0 && gpa < mappings[index - 1].end)) complain(name, 'mappings overlap');
  const [place] = places;
  if (place === undefined) return;
  await ask(name, `/memory/at/${place.gpa}`);
  // It has moved on by now, or not.
  await ask(name, `/memory/gpa/${place.gpa}/bytes?length=4096`);
}

/** A machine that is paused stays as it is, whatever else is asked of it. */
async function checkPause(name, identity) {
  await ask(name, '/machine/pause', { method: 'POST' });
  await checkPattern(name, identity);
  await ask(name, '/machine/resume', { method: 'POST' });
}

async function checkScreenshot(name) {
  const png = await ask(name, '/display/screenshot');
  if (png && png.readUInt32BE(0) !== 0x89504e47) complain(name, 'a screenshot is no PNG');
}

/** Each edit starts where the last one ended. */
function followMoves(name) {
  return new Promise((resolve) => {
    let text = '';
    let place;
    const outgoing = request({ socketPath: join(folder, `${name}.sock`), path: '/events?kinds=map&replay=false' });
    outgoing.on('error', resolve).on('response', (response) => {
      response.on('error', resolve).on('close', resolve);
      response.on('data', (piece) => {
        text += piece.toString();
        const events = text.split('\n\n');
        text = events.pop();
        for (const event of events) {
          const data = /^data: (.*)$/m.exec(event)?.[1];
          if (data === undefined) continue;
          const { removed, added } = JSON.parse(data);
          const of = (mappings) => mappings.find(({ segment }) => segment === 'framebuffer')?.gpa;
          if (place !== undefined && of(removed) !== undefined && of(removed) !== place) {
            complain(name, `left ${of(removed)}, and was at ${place}`);
          }
          place = of(added) ?? place;
          seen.moves++;
        }
        if (end.signal.aborted || random(50) === 0) outgoing.destroy();
      });
    });
    outgoing.end();
  });
}

const DEEDS = [
  [8, checkPattern],
  [4, (name, _, hand) => checkWrite(name, hand)],
  [4, checkMap],
  [2, (name) => ask(name, '/memory/segments')],
  [2, (name) => ask(name, '/machine')],
  [1, (name) => ask(name, '/machine/registers')],
  [1, (name) => ask(name, '/machine/devices')],
  [1, checkScreenshot],
  [1, checkPause],
  [1, (name) => followMoves(name)],
  [1, (name) => ask(name, '/machine/reset', { method: 'POST' })],
  [1, (name) => ask(name, '/serial/input', { method: 'POST', body: 'x' })],
].flatMap(([weight, deed]) => Array.from({ length: weight }, () => deed));

async function work(hand) {
  while (!end.signal.aborted) {
    const number = random(identities.length);
    await DEEDS[random(DEEDS.length)](`vm${number}`, Number(identities[number]), hand);
  }
}

process.stdin.on('end', () => end.abort()).resume();
await Promise.all(Array.from({ length: HANDS }, (_, hand) => work(hand)));
process.stdout.write(`${JSON.stringify(seen)}\n`);
