"""Maps nodes and does what it is told, a line at a time; it answers each with a line. Nothing but the standard library.

    map ID PATH LENGTH OFFSET r|w|forced     read ID AT LENGTH     write ID AT HEX     fill ID BYTE     sum ID     unmap ID
    truncate PATH LENGTH       open PATH r|w|truncate                    user UID
"""
import mmap
import os
import sys

maps = {}


def do_map(name, path, length, offset, access):
    descriptor = os.open(path, os.O_RDWR if access == 'w' else os.O_RDONLY)
    prot = mmap.PROT_READ | (mmap.PROT_WRITE if access != 'r' else 0)
    try:
        maps[name] = mmap.mmap(descriptor, int(length), mmap.MAP_SHARED, prot, offset=int(offset))
    finally:
        os.close(descriptor)
    return 'ok'


def do_read(name, at, length):
    return maps[name][int(at):int(at) + int(length)].hex()


def do_write(name, at, text):
    data = bytes.fromhex(text)
    maps[name][int(at):int(at) + len(data)] = data
    return 'ok'


def do_fill(name, byte):
    maps[name][:] = bytes([int(byte)]) * len(maps[name])
    return 'ok'


def do_sum(name):
    return str(sum(maps[name][:]))


def do_unmap(name):
    maps.pop(name).close()
    return 'ok'


def do_truncate(path, length):
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.ftruncate(descriptor, int(length))
    finally:
        os.close(descriptor)
    return 'ok'


def do_open(path, access):
    flags = {'r': os.O_RDONLY, 'w': os.O_RDWR, 'truncate': os.O_WRONLY | os.O_TRUNC}[access]
    os.close(os.open(path, flags))
    return 'ok'


def do_user(uid):
    os.setgroups([])
    os.setresgid(int(uid), int(uid), int(uid))
    os.setresuid(int(uid), int(uid), int(uid))
    return 'ok'


for line in sys.stdin:
    verb, *words = line.split()
    try:
        answer = globals()['do_' + verb](*words)
    except OSError as error:
        answer = 'errno %d %s' % (error.errno, os.strerror(error.errno))
    print(answer, flush=True)
