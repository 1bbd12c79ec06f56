"""Maps the framebuffers and the RAM of machines over and over, and holds what it finds against moving-guest.ts.

Usage: python3 reader.py RUNDIR SLOT IDENTITY...      Ends with its input, and then prints what it has seen, as JSON.
Nothing but the standard library.
"""
import json
import mmap
import os
import select
import struct
import sys
import time

FOLDER, SLOT, *IDENTITIES = sys.argv[1:]
ASK = 0x10000 + 8 * int(SLOT)
seen = {'passes': 0, 'whole': 0, 'answers': 0, 'survivors': 0, 'wrong': []}
token = int(SLOT) << 24


def pattern(lap, identity):
    first = lap ^ identity
    return struct.pack('<1024I', *((first + i * 0x01000193) & 0xffffffff for i in range(1024)))


def word(memory, at):
    return int.from_bytes(memory[at:at + 4], 'little')


def open_node(name):
    try:
        return os.open(os.path.join(FOLDER, name), os.O_RDWR)
    except FileNotFoundError:
        return None


def is_still(name, inode):
    descriptor = open_node(name)
    if descriptor is None:
        return False
    try:
        return os.fstat(descriptor).st_ino == inode
    finally:
        os.close(descriptor)


def check_whole(name, memory, identity):
    ended, found, begun = word(memory, 0x5000), memory[0x3800:0x4800], word(memory, 0x3000)
    if begun == 0 or begun != ended:
        return
    seen['whole'] += 1
    if found != pattern(begun, identity):
        seen['wrong'].append('%s lap %d: %s' % (name, begun, found[:8].hex()))


def check_answer(name, memory, inode):
    """The guest copies a word that is written here, wherever it sees the framebuffer by then."""
    global token
    token += 1
    memory[ASK:ASK + 4] = token.to_bytes(4, 'little')
    end = time.monotonic() + 60
    while word(memory, ASK + 4) != token:
        if not is_still(name, inode):
            seen['survivors'] += 1    # Its machine has ended, and these bytes are still here.
            return
        if time.monotonic() > end:
            seen['wrong'].append('%s: no answer to %x' % (name, token))
            return
        time.sleep(0.002)
    seen['answers'] += 1


def check_ram(name, identity):
    descriptor = open_node(name)
    if descriptor is None:
        return
    with mmap.mmap(descriptor, 0x2000) as ram:
        os.close(descriptor)
        if word(ram, 0x1004) != 0 or word(ram, 0x1008) not in (0, identity):
            seen['wrong'].append('%s: the guest found %d things wrong' % (name, word(ram, 0x1004)))


def check(number, identity):
    name = 'vm%d' % number
    descriptor = open_node(name + '.framebuffer')
    if descriptor is None:
        return
    inode = os.fstat(descriptor).st_ino
    with mmap.mmap(descriptor, 0) as memory:
        os.close(descriptor)
        for _ in range(8):
            check_whole(name, memory, identity)
        check_answer(name + '.framebuffer', memory, inode)
        check_whole(name, memory, identity)
    check_ram(name, identity)


while not select.select([sys.stdin], [], [], 0)[0]:
    for number, identity in enumerate(IDENTITIES):
        check(number, int(identity))
    seen['passes'] += 1
print(json.dumps(seen), flush=True)
