"""The big public logs (Criteo, Avazu, KDD Cup 2012) from their raw files to a memory-mapped stored form."""

from moco.data.logs.formats import LOG_FORMATS, LogFormat
from moco.data.logs.generate import generate_log
from moco.data.logs.options import LogOptions, Progress
from moco.data.logs.prepare import prepare_log
from moco.data.logs.sample import LogSample, draw_sample
from moco.data.logs.stored import LogPart, StoredLog

__all__ = [
    "LOG_FORMATS",
    "LogFormat",
    "LogOptions",
    "LogPart",
    "LogSample",
    "Progress",
    "StoredLog",
    "draw_sample",
    "generate_log",
    "prepare_log",
]
