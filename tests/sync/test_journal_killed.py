"""A journal whose process is killed at any moment: it opens again, and nothing in it is a lie."""

from __future__ import annotations

from pathlib import Path

from journal_scenes import start

_SCENE = """
# A child writes into the journal as fast as it can and is killed; another one looks at what is there then. What was
# begun, and what was promised, is told by memory that they share, so that it is known however a child ends.
import mmap, os, random, signal, struct, sys, time
from omnistorage.sync import joblock
from omnistorage.sync.journal import Fingerprint, JobKey, Journal, UploadRecord

folder, rounds = sys.argv[1], int(sys.argv[2])
key = JobKey(kind="copy", source=("file", "/here"), dest=("file", "/there"))
shared = mmap.mmap(-1, 4096)
PATHS, UPLOADS = 50, 5
BEGUN, FOUND, RESUMED, DONE = 0, 1, 2, 3
TRIED, KEPT = 10, 20    # for each upload: what is being written, and what was

def put(slot, value): struct.pack_into("q", shared, slot * 8, value)
def get(slot): return struct.unpack_from("q", shared, slot * 8)[0]
def version(number): return Fingerprint(number, 1_600_000_000_123_456_789 + number)

def write(first):
    journal = Journal.open(key, folder=folder, command=["copy", "a" * random.randrange(5000), "b"], warn=loud)
    for number in range(first, first + 10**9):
        put(BEGUN, number)
        journal.mark_equal(f"p/{number % PATHS}", version(number), version(number + 1))
        if number % 40 == 0:
            journal.flush()
        if number % 10 == 0:
            slot = number // 10 % UPLOADS
            gone = random.random() < 0.2
            put(TRIED + slot, -1 if gone else number)
            if gone:
                journal.forget_upload(f"u/{slot}")
            else:
                journal.note_upload(f"u/{slot}", UploadRecord(token=str(number), part_size=1, source=version(1)))
            put(KEPT + slot, get(TRIED + slot))
        if number % 500 == 499 and random.random() < 0.1:
            # Now and then a run comes to its end, so that removing is interrupted as well.
            for slot in range(UPLOADS):
                put(TRIED + slot, -1)
                journal.forget_upload(f"u/{slot}")
                put(KEPT + slot, -1)
            journal.done()
            put(DONE, get(DONE) + 1)
            return

def look():
    begun = get(BEGUN)
    with Journal.open(key, folder=folder, warn=loud) as journal:
        for number in range(max(begun - 300, 0), begun + 300):
            for path in range(PATHS):
                if journal.known_equal(f"p/{path}", version(number), version(number + 1)):
                    assert path == number % PATHS, "a mark of another path"
                    assert number <= begun, "a mark that nobody made"
                    put(FOUND, get(FOUND) + 1)
        for slot in range(UPLOADS):
            record = journal.upload_of(f"u/{slot}")
            token = -1 if record is None else int(record.token)
            assert token in (get(TRIED + slot), get(KEPT + slot)), (token, get(TRIED + slot), get(KEPT + slot))
            put(RESUMED, get(RESUMED) + (record is not None))

def loud(line):
    os.write(2, line.encode() + b"\\n")

def child(work, *args):
    pid = os.fork()
    if not pid:
        try:
            work(*args)
        except BaseException as exc:
            loud(repr(exc))
            os._exit(1)
        os._exit(0)
    return pid

for slot in range(UPLOADS):
    put(TRIED + slot, -1)
    put(KEPT + slot, -1)
# So that a claim that was left does not hold up each round for seconds.
joblock._CLAIM_STALE = 0.05
for round in range(rounds):
    before = get(BEGUN)
    writer = child(write, (before // 1000 + 1) * 1000)
    # Every other time it has begun to write, however busy the machine is.
    deadline = time.monotonic() + 2
    while round % 2 and get(BEGUN) == before and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(random.choice((0.003, 0.03, 0.3)) * random.random())
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    code = os.waitpid(child(look), 0)[1]
    assert code == 0, (round, code)
print(get(FOUND) > 0, get(RESUMED) > 0)
"""


def test_killed_at_any_moment(tmp_path: Path) -> None:
    """Fifty kills: what was promised is there, and no mark stands for anything that was not compared."""
    out, err = start(_SCENE, tmp_path, 50).communicate(timeout=110)

    assert (out, err) == ("True True\n", "")
