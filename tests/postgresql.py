"""A real PostgreSQL server in a temporary folder, for tests and benchmarks: on a socket alone, without fsync."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

START_S = 60.0


def server_programs() -> Path | None:
    """The folder of initdb and postgres: on the path, as pg_config says, or where Debian puts them."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    if shutil.which("pg_config"):
        found = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(found.stdout.strip()))
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").is_file() and (f / "postgres").is_file()), None)


def server_user() -> str | None:
    """PostgreSQL refuses to run as root: the user to run it as, None for this one."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Folder of the socket of a server of its own, in a temporary folder."""
    programs = server_programs()
    if programs is None:
        raise LookupError("no PostgreSQL server is installed: apt-get install postgresql")
    user = server_user()
    folder = Path(tempfile.mkdtemp(prefix="moco-pg-"))
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    as_user = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    places = {"cwd": folder, "env": os.environ | {"LC_ALL": "C", "HOME": str(folder)}, **as_user}
    setup = ["-D", "data", "-U", "moco", "-A", "trust", "-E", "UTF8", "--no-sync"]
    log = (folder / "log").open("wb")
    try:
        subprocess.run([programs / "initdb", *setup], stdout=log, stderr=log, check=True, **places)
        settings = ("listen_addresses=", "fsync=off", f"unix_socket_directories={folder}", "max_connections=40")
        options = [part for setting in settings for part in ("-c", setting)]
        process = subprocess.Popen([programs / "postgres", "-D", "data", *options], stdout=log, stderr=log, **places)
        try:
            wait_for(str(folder), process)
            yield str(folder)
        finally:
            process.send_signal(signal.SIGINT)  # ends what is still connected
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()  # of a server that is gone already, this does nothing
            process.wait()
    finally:
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(folder: str, server: subprocess.Popen[bytes]) -> None:
    """Returns when the server answers; what it wrote, when it does not start."""
    import psycopg

    deadline_s = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(host=folder, user="moco", dbname="postgres").close()
            return
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError((Path(folder) / "log").read_text(errors="replace")) from error
            time.sleep(0.05)


def new_database(folder: str) -> str:
    """URL of an empty database of the server with that folder."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(host=folder, user="moco", dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"postgresql://moco@/{name}?host={folder}"
