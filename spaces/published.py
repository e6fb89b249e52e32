"""The six networks that NASRec published, best of each of its two spaces on each of its three data sets.

Source: NASRec (arXiv 2207.07187), the best models in its public code. Field counts of the data they were searched on:
Criteo 13 dense and 26 categorical, Avazu 1 (a constant) and 23, KDD Cup 2012 3 and 10.
"""

from __future__ import annotations

from types import MappingProxyType

from spaces.architecture import Architecture
from spaces.notation import from_compact

_LINES = {
    "criteo-small": (
        "FC256|EFC48|10|0|0|0,0 ; DP1024|EFC48|11|1|01|1,0 ; FC128|EFC16|10|02|012|0,0 ; FC16|EFC48|01|2|02|1,2 ; "
        "DP128|EFC32|00|0234|24|2,0 ; FC16|EFC64|10|0125|125|3,5 ; FC1024|EFC64|00|035|0125|0,5"
    ),
    "criteo-full": (
        "SG128|ATT64|10|0|0|0,0 ; DP32|EFC64|00|0|0|0,1 ; DP768|EFC32|01|12|012|1,2 ; SG768|EFC48|10|03|0123|2,0 ; "
        "FC16|EFC16|01|0234|0123|3,1 ; FC768|ATT16|10|0345|14|2,3 ; FC128|ATT48|01|023|13|6,1"
    ),
    "avazu-small": (
        "DP512|EFC64|10|0|0|0,0 ; FC1024|EFC48|10|01|0|0,0 ; FC512|EFC16|01|02|0|1,2 ; DP768|EFC48|11|3|03|2,0 ; "
        "FC128|EFC16|11|023|01|2,3 ; FC128|EFC64|10|134|013|0,3 ; FC512|EFC32|11|5|126|0,1"
    ),
    "avazu-full": (
        "DP32|ATT48|10|0|0|0,0 ; DP768|EFC64|10|01|01|0,0 ; FC512|EFC48|10|0|0|0,0 ; SUM768|ATT16|11|0123|3|1,0 ; "
        "DP768|EFC64|00|234|2|0,3 ; SG1024|EFC64|10|0125|04|0,3 ; SG768|ATT16|10|1235|23|0,2"
    ),
    "kdd2012-small": (
        "FC768|EFC48|11|0|0|0,0 ; DP128|EFC64|10|01|01|0,1 ; DP32|EFC48|11|012|01|0,2 ; FC256|EFC64|00|0123|023|1,2 ; "
        "FC1024|EFC64|00|34|0124|0,2 ; DP768|EFC64|00|125|45|4,5 ; DP1024|EFC48|10|2346|0124|0,2"
    ),
    "kdd2012-full": (
        "DP128|ATT48|10|0|0|0,0 ; SG768|ATT64|10|1|1|0,0 ; SG16|EFC48|00|1|12|1,0 ; SUM64|ATT16|10|023|1|2,2 ; "
        "SUM64|EFC48|00|0124|02|0,2 ; FC128|EFC32|01|34|0145|4,2 ; SG768|EFC16|10|1356|1345|5,5"
    ),
}

PUBLISHED_NETWORKS: MappingProxyType[str, Architecture] = MappingProxyType(
    {name: from_compact(line) for name, line in _LINES.items()}
)
"""Network by "<data set>-<small or full>"; all have seven blocks, embedding width 16 and, by default, 8-bit weights."""
