"""What can be chosen: search spaces, recommender networks and hardware as plain frozen data."""

from spaces.architecture import Architecture, ArchitectureBatch, Block
from spaces.canonical import canonical_architecture, canonical_networks
from spaces.codesign import CodesignSpace, codesign_of
from spaces.hardware import HARDWARE_SPACE
from spaces.kinds import read_space
from spaces.liveness import Liveness, liveness
from spaces.nasrec import NASREC_DENSE_DIMS, NASREC_SPARSE_DIMS, WEIGHT_BITS, NasrecSpace, nasrec_space
from spaces.notation import from_compact, from_nasrec_json, to_compact, to_nasrec_json
from spaces.published import PUBLISHED_NETWORKS
from spaces.shapes import Products, Widths, macs, n_parameters, products, widths
from spaces.space import Choice, ChoiceBlock, Genomes, Space

__all__ = [
    "HARDWARE_SPACE",
    "NASREC_DENSE_DIMS",
    "NASREC_SPARSE_DIMS",
    "PUBLISHED_NETWORKS",
    "WEIGHT_BITS",
    "Architecture",
    "ArchitectureBatch",
    "Block",
    "Choice",
    "ChoiceBlock",
    "CodesignSpace",
    "Genomes",
    "Liveness",
    "NasrecSpace",
    "Products",
    "Space",
    "Widths",
    "canonical_architecture",
    "canonical_networks",
    "codesign_of",
    "from_compact",
    "from_nasrec_json",
    "liveness",
    "macs",
    "n_parameters",
    "nasrec_space",
    "products",
    "read_space",
    "to_compact",
    "to_nasrec_json",
    "widths",
]
