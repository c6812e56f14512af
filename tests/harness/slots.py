"""Where the newest versions of blocks lie in a log, read from its slot headers alone (docs/formats/log.md, index.md)."""

import struct
from collections import defaultdict

HEADER = struct.Struct("<IIQQIHHQQQII")
PAGE, TRUNCATE, COPY = 1, 2, 3
GAP = 5  # slots that one read bridges


def headers(incarnation):
    """(slot, kind, file with birth, block, copied slot), ascending."""
    for path in sorted(incarnation.glob("*.slots")):
        for fields in HEADER.iter_unpack(path.read_bytes()):
            _, _, slot, _, _, kind, _, high, low, birth, block, copied = fields
            if kind:
                yield slot, kind, (high, low, birth), block, copied


def newest(incarnation):
    """{file with birth: {block: slot}} and how many copies there are. Of a log that nobody writes to."""
    files, copies = defaultdict(dict), 0
    for slot, kind, file, block, copied in headers(incarnation):
        if kind == TRUNCATE:
            files[file] = {b: s for b, s in files[file].items() if b < block}
        elif kind == PAGE or (kind == COPY and files[file].get(block) == copied):
            files[file][block] = slot
            copies += kind == COPY
    return files, copies


def largest(incarnation):
    """{block: slot} of the file with the most blocks."""
    return max(newest(incarnation)[0].values(), key=len)


def pieces(places, window=256):
    """How many reads fetch all of the blocks, a window at a time."""
    count = 0
    for begin in range(0, max(places) + 1, window):
        slots = sorted(places[b] for b in range(begin, begin + window) if b in places)
        count += sum(1 for n, slot in enumerate(slots) if n == 0 or slot > slots[n - 1] + GAP)
    return count
