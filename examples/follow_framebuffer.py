# Prints the first bytes of segment `framebuffer` whenever the guest moves it: python3 follow_framebuffer.py SOCKET
import http.client, json, socket, sys

class Control(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])

def get(path):
    control = Control("skep")
    control.request("GET", path)
    return control.getresponse()

for line in get("/events?kinds=map"):
    if line.startswith(b"data: "):
        for mapping in json.loads(line[6:])["added"]:
            if mapping["segment"] == "framebuffer":
                print(f'{mapping["gpa"]:x}', get("/memory/segments/framebuffer/bytes?length=16").read().hex(), flush=True)
