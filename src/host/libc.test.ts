import { describe, expect, test } from 'vitest';
import { nodesTest } from '../../test/nodes/host-needs.ts';
import { bindLibc, FCNTL, MAP, openLibc, PROT, type LibcHost } from './libc.ts';

/** Enough of koffi to be asked for the page size. */
function koffiWithPagesOf(pageSize: number): LibcHost['loadKoffi'] {
  const call = Object.assign(() => pageSize, { async: () => undefined, info: {} });
  return () => ({ load: () => ({ func: () => call }) }) as unknown as ReturnType<LibcHost['loadKoffi']>;
}

const noKoffi = (): never => {
  throw new Error("Cannot find module 'koffi'\nRequire stack:\n- /somewhere");
};

describe('a host that cannot have device nodes is told so in a sentence:', () => {
  const linux = { platform: 'linux', processor: 'x64', loadKoffi: koffiWithPagesOf(4096) };
  test.each<[string, Partial<LibcHost>, RegExp]>([
    ['another system', { platform: 'darwin' }, /^no device nodes on this host: they need Linux, and this is darwin$/],
    ['another processor', { processor: 'arm' }, /arm has other system calls$/],
    [
      'no koffi',
      { loadKoffi: noKoffi },
      /koffi, an optional dependency, cannot be loaded \(Cannot find module 'koffi'\)$/,
    ],
    ['larger pages', { loadKoffi: koffiWithPagesOf(65536) }, /the host's pages have 65536 bytes and the guest's 4096$/],
  ])('%s', (_case, difference, message) => {
    expect(() => bindLibc({ ...linux, ...difference })).toThrow(
      expect.objectContaining({ name: 'HostError', code: 'ENOTSUP', message: expect.stringMatching(message) }),
    );
  });

  test('koffi is not even looked for where there is no Linux', () => {
    let loads = 0;
    const loadKoffi = (): never => {
      loads++;
      return noKoffi();
    };
    expect(() => bindLibc({ platform: 'win32', processor: 'x64', loadKoffi })).toThrow(/need Linux/);
    expect(loads).toBe(0);
  });
});

describe("a call that fails throws the kernel's errno, its name and what it means:", () => {
  const cases: readonly [string, () => unknown, object][] = [
    [
      'a bad descriptor',
      () => openLibc().fcntl(-1, FCNTL.GET_SEALS, 'int', 0),
      { code: 'EBADF', message: 'fcntl failed: bad file descriptor (EBADF)', facts: { call: 'fcntl', errno: 9 } },
    ],
    [
      'a bad address',
      () => openLibc().mmap(1, 4096, PROT.READ, MAP.FIXED | MAP.PRIVATE | MAP.ANONYMOUS, -1, 0),
      { code: 'EINVAL', facts: { call: 'mmap', errno: 22 } },
    ],
    [
      'memory that is not there',
      () => openLibc().mlock(4096, 4096),
      { code: 'ENOMEM', facts: { call: 'mlock', errno: 12 } },
    ],
    ['a name that is too long', () => openLibc().memfd_create('n'.repeat(250), 0), { code: 'EINVAL' }],
  ];
  for (const [what, call, error] of cases) {
    nodesTest(what, () => expect(call).toThrow(expect.objectContaining({ name: 'HostError', ...error })));
  }
});

nodesTest("a view of an address shows that address's bytes", () => {
  const libc = openLibc();
  const buffer = new ArrayBuffer(16);
  new Uint8Array(libc.view(libc.addressOf(buffer), 16))[3] = 7;
  expect(new Uint8Array(buffer)[3]).toBe(7);
});
