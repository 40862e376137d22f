"""New names: each algorithm does what rclone's does, and what cannot be done is said."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.sync import charmaps, lookalikes
from omnistorage.sync.layouts import write_time
from omnistorage.sync.transforms import Renaming, TransformError

RCLONE = Path(sys.executable).parent / "rclone"


def _name(name: str, *texts: str) -> str:
    return Renaming(texts).name(name, is_dir=False)


@pytest.mark.parametrize(
    ("texts", "path", "wanted"),
    [
        (["prefix=1"], "a/b/c.txt", "a/b/1c.txt"),
        (["file,prefix=1"], "a/b/c.txt", "a/b/1c.txt"),
        (["dir,prefix=1"], "a/b/c.txt", "1a/1b/c.txt"),
        (["all,prefix=1"], "a/b/c.txt", "1a/1b/1c.txt"),
        (["all,prefix=tac", "all,prefix=tic"], "toe/toe", "tictactoe/tictactoe"),
        (["all,replace=Fox:Turtle", "replace=Quick:Slow"], "Fox/Quick Fox", "Turtle/Slow Turtle"),
        (["dir,uppercase", "file,lowercase"], "aB/aB", "AB/ab"),
        (["trimprefix=a", "trimsuffix=c"], "abc", "b"),
        (["suffix=,x"], "a", "a,x"),
        (["prefix=a=b"], "c", "a=bc"),
    ],
)
def test_to_which_names(texts: list[str], path: str, wanted: str) -> None:
    """The tag says which names of a path are transformed; several transforms apply in order."""
    assert Renaming(tuple(texts)).path(path) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "unknown name transform 'nonsense'; known: ISO-8859-1, Macintosh"),
        ("dirs,prefix=x", "unknown name transform 'dirs,prefix'"),
        ("prefix", "needs a value"),
        ("truncate=x", "'x' is not a number"),
        ("replace=a:b:c", "one colon"),
        ("regex=a", "one slash"),
        ("regex=(/x", "regular expression|missing"),
        ("regex=\\pL/x", "cannot be used"),
        ("charmap=EBCDIC", "unknown character set 'EBCDIC'; known: IBM-Code-Page-037"),
        ("encoder=Bogus", "unknown encoding 'Bogus'; known: Asterisk"),
        ("", "unknown name transform ''"),
    ],
)
def test_malformed_ones_are_refused_at_once(text: str, message: str) -> None:
    """What cannot be understood is said before anything is done (rclone says it for each object)."""
    with pytest.raises(ValueError, match=message):
        Renaming((text,))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("trimprefix=abc", "abc"),
        ("ascii", "é"),
        ("regex=.*/ ", "abc"),
        ("replace=a:x/y", "abc"),
        ("regex=.*/..", "abc"),
        ("regex=.*/.", "abc"),
        ("base64decode", "a+b="),
        ("base64decode", "AA=="),
        ("truncate_keep_extension=3", "abc.tar.gz"),
        ("truncate_bytes=1", "é"),
        ("command=false", "abc"),
        ("command=/no/such/program", "abc"),
    ],
)
def test_what_is_no_name(text: str, name: str) -> None:
    """A result that nothing can be called fails; nothing goes under another name instead."""
    with pytest.raises(TransformError):
        _name(name, text)


def test_an_odd_name_may_stay() -> None:
    """A blank name is one that somebody gave; it only may not come out of a transform."""
    assert _name(" ", "nfc", "trimprefix=x") == " "


def test_bytes_survive() -> None:
    """Names that are not valid UTF-8 keep their bytes, there and back."""
    odd = "a\udcff\u00e9"

    assert _name(_name(odd, "base64encode"), "base64decode") == odd
    assert _name(odd, "url") == "a%FF%C3%A9"
    assert _name(odd, "truncate_bytes=2") == "a\udcff"
    assert _name(_name(odd, "encoder=InvalidUtf8"), "decoder=InvalidUtf8") == odd


def test_pickles() -> None:
    """Another process gives the same names, with the same date."""
    renaming = Renaming(("date=-{StampNano}", "regex=(a)/$1$1"))
    again = pickle.loads(pickle.dumps(renaming))

    assert again.name("a", is_dir=False) == renaming.name("a", is_dir=False)


@given(
    st.text(
        st.sampled_from('abc.~ :?*<[;"\u2420\uff0e\uff1a\u201b\n\r\x7f\u240a\u2421\udcff1F'), min_size=1, max_size=8
    )
)
def test_look_alikes_lead_back(name: str) -> None:
    """What one encoding wrote, the same encoding reads."""
    masks = ",".join(sorted(set(lookalikes.NAMES) - {"None", "Raw"}))
    alikes = lookalikes.LookAlikes(masks)

    assert alikes.decode(alikes.encode(name)) == name
    assert not set(alikes.encode(name)) & set(':?*<[;"\n\r\x7f\udcff')


@pytest.mark.parametrize(
    ("layout", "wanted"),
    [
        ("RFC3339", "2024-03-05T15:04:09+05:30"),
        ("RFC1123Z", "Tue, 05 Mar 2024 15:04:09 +0530"),
        ("Kitchen", "3:04PM"),
        ("mac", "2024-03-05 0304PM"),
        ("_2 Jan 06 002 __2 pm", " 5 Mar 24 065  65 pm"),
        ("15h4m5s.000 .99", "15h4m9s.120 .12"),
        ("1-2-2006 Monday January Janus", "3-5-2024 Tuesday March Janus"),
        ("Z0700 -07 Z07:00:00", "+0530 +05 +05:30:00"),
    ],
)
def test_layouts(layout: str, wanted: str) -> None:
    """Times are written as Go writes them, by the example of one moment."""
    when = datetime(2024, 3, 5, 15, 4, 9, 120_000, timezone(timedelta(hours=5, minutes=30)))

    assert write_time(layout, when) == wanted


# -- the same as rclone ------------------------------------------------------------------------------------------

# Without what rclone itself writes otherwise on its way through a local folder: controls, their symbols, and quotes.
LETTERS = (
    "abcAB.. -_~19\u00e9\u00c9\u00df\u00f1\u65e5\u0301\u0130\u0149\u01c6\u03a3\ufb01"
    ":?*\"<>|#%[];\\'`$\uff1a\uff0a\uff5e"
)

ALGORITHMS = [
    *("none", "nfc", "nfd", "nfkc", "nfkd", "lowercase", "uppercase", "titlecase", "ascii", "url", "base64encode"),
    *(
        "prefix=\u00e9",
        "suffix=.x",
        "suffix_keep_extension=-X",
        "trimprefix=a",
        "trimsuffix=b",
        "replace=a:bb",
        "replace=:x",
    ),
    *("truncate=3", "truncate=0", "truncate=-1", "truncate_keep_extension=6"),
    *("truncate_bytes=5", "truncate_bytes_keep_extension=7"),
    *("date=-{YYYYMMDD}", "date={2006-01-02}x", "date={Monday Jan _2 002 06}", "date=no braces"),
    *("ISO-8859-1", "Windows-1252", "Macintosh", "charmap=KOI8-U", "charmap=Windows-1255", "charmap=X-User-Defined"),
    *("encoder=Colon,Question", "decoder=Colon,Asterisk", "encoder=LeftSpace,LeftTilde,RightSpace", "command=echo"),
    *("regex=(.)(.)/$2$1", "regex=(?i)a/x", "regex=x*/-", "regex=[[:alpha:]]+/<$0>", r"regex=\w/w", r"regex=\bA/Z"),
    *("regex=a(?i)b|c/!", "regex=(?P<n>.)$/${n}$n$$", "regex=./$1x", "regex=a$/E", "regex=^/S", "regex=[^a-c]/."),
    *("regex=a|ab/y", "regex=b*?/o", r"regex=\s/S", r"regex=[\d.]+/#", "regex=(a)|b/[$1]", r"regex=\x{e9}/e"),
]


@pytest.mark.skipif(not RCLONE.exists() and "CI" not in os.environ, reason="rclone is not installed")
@pytest.mark.parametrize("text", ALGORITHMS)
def test_does_what_rclone_does(text: str, tmp_path: Path) -> None:
    """Of sixty random names, each becomes what rclone makes of it; where we refuse, rclone keeps the old name."""
    letters = random.Random(text)
    drawn = ["".join(letters.choices(LETTERS, k=letters.randint(1, 9))) for _ in range(60)]
    names = [name for name in (*drawn, "file.tar.gz", ".dot", "a.", "..a") if name not in (".", "..", "\uff0e")]
    for number, name in enumerate(names):
        (tmp_path / "s" / str(number)).mkdir(parents=True)
        (tmp_path / "s" / str(number) / name).touch()
    flags = ["--config", "", "--local-encoding", "None", "--retries", "1", "--name-transform", text]
    subprocess.run([RCLONE, "copy", tmp_path / "s", tmp_path / "d", *flags], capture_output=True, check=False)
    wrong = []
    for number, name in enumerate(names):
        place = tmp_path / "d" / str(number)
        theirs = os.listdir(place) if place.exists() else []
        try:
            ours = _name(name, text)
        except TransformError:
            ours = name
        if "\u201b" not in ours and theirs not in ([ours], [] if ours == name else [ours]):
            wrong.append((name, ours, theirs))

    assert wrong == []


def test_all_character_sets_are_known() -> None:
    """The sets have the names that rclone gives them, and ASCII is in each."""
    assert len(charmaps.NAMES) == 42
    assert all(set(map(chr, range(0x20, 0x7F))) <= charmaps.letters_of(name) for name in charmaps.NAMES)
