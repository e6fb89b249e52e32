"""The command line, called in this process."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner, Result

from moco.cli.app import app, main


def call(*arguments: object) -> Result:
    """What a call has printed that must succeed; what it raises comes through."""
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


class Cli:
    """Calls as a person's are, bad input included.

    Args:
        first: Arguments before those of each call.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *first: object) -> None:
        self._monkeypatch, self._capsys, self._first = monkeypatch, capsys, first
        monkeypatch.setenv("COLUMNS", "500")

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Exit code, standard output, and standard error without line breaks."""
        self._monkeypatch.setattr("sys.argv", ["moco", *map(str, (*self._first, *arguments))])
        with pytest.raises(SystemExit) as end:
            main()
        written = self._capsys.readouterr()
        return int(end.value.code or 0), written.out, " ".join(written.err.split())

    def fails(self, message: str, *arguments: object, code: int = 1) -> None:
        """A call must end with this code and a line that matches the message."""
        got, _, err = self(*arguments)
        assert got == code, err
        assert re.search(message, err), err
        assert "Traceback" not in err
