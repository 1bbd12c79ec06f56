# Saves a machine's screen, and has its guest move the framebuffer: python3 -i screen.py NAME
# Both through memory alone: the nodes of the framebuffer and of RAM, mapped once.
import mmap, os, sys

WIDTH, HEIGHT = 1024, 768
FOLDER = os.environ.get("SKEP_RUNDIR", f"/dev/shm/skep-{os.getuid()}")

def node(name):
    return mmap.mmap(os.open(f"{FOLDER}/{name}", os.O_RDWR), 0)

ram, screen = node(sys.argv[1]), node(f"{sys.argv[1]}.framebuffer")

def save(file):
    "Writes a picture (PPM) of what is in the framebuffer, and says how many of its pixels are not black."
    pixels = bytearray(3 * WIDTH * HEIGHT)
    for colour in range(3):  # blue, green, red, nothing on the screen; red, green, blue in the picture
        pixels[colour::3] = screen[2 - colour : 4 * WIDTH * HEIGHT : 4]
    with open(file, "wb") as picture:
        picture.write(b"P6 %d %d 255\n" % (WIDTH, HEIGHT) + pixels)
    return sum(any(pixels[at : at + 3]) for at in range(0, len(pixels), 3))

def move(gpa):
    "Leaves a program for the guest's BIOS, which calls INT 1Ch with each tick of the clock: it sets the display's BAR 0."
    ram[0x7C00:0x7C1D] = (
        bytes.fromhex("6650 52")                               # push eax; push dx
        + bytes.fromhex("66b8 10100080 ba f80c 66ef")          # mov eax, 80001010h; mov dx, CF8h; out dx, eax
        + bytes.fromhex("66b8") + gpa.to_bytes(4, "little")    # mov eax, gpa
        + bytes.fromhex("ba fc0c 66ef 5a 6658 cf")             # mov dx, CFCh; out dx, eax; pop dx; pop eax; iret
    )
    ram[0x70:0x74] = (0x7C00).to_bytes(4, "little")
