// Prints the first bytes of segment `framebuffer` whenever the guest moves it: node examples/follow-framebuffer.ts NAME
import { connect } from 'skep/client';

const machine = await connect(process.argv[2] ?? 'skep');
for await (const { added } of machine.events('map')) {
  const moved = added.find(({ segment }) => segment === 'framebuffer');
  if (moved === undefined) continue;
  const bytes = await machine.read('framebuffer', { length: 16 });
  console.log(moved.gpa.toString(16), Buffer.from(bytes).toString('hex'));
}
