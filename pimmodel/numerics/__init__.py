"""How hardware distorts a product: exactly, and as gain and noise for many chips at once.

    from pimmodel import PimConfig
    from pimmodel.numerics import exact_product, predict_distortion, profile_product, sqnr_db

    chip = PimConfig(adc_bits=6, adc_range="k-sigma")
    sqnr_db(x @ w, exact_product(x, w, chip))       # x: (n, in), w: (in, out), integers

    profile = profile_product(x, w)                 # once for each layer
    predict_distortion(profile, many_chips).alpha   # y_chip = alpha * (x @ w) + noise

Weights and inputs are sliced over cells and cycles, wordlines driven in groups, every column sum read by an
ADC of limited bits and range, and the codes shifted and added. Device noise is left out.
"""

from pimmodel.numerics.adc import K_SIGMA, required_adc_bits
from pimmodel.numerics.encoding import ENCODINGS, Encoding, ProductFormat
from pimmodel.numerics.exact import SQNR_CAP_DB, exact_product, exact_products, observed_adc_bits, sqnr_db
from pimmodel.numerics.moments import Distortion, predict_distortion
from pimmodel.numerics.profile import ColumnStatistics, ProductProfile, profile_product

__all__ = [
    "ENCODINGS",
    "K_SIGMA",
    "SQNR_CAP_DB",
    "ColumnStatistics",
    "Distortion",
    "Encoding",
    "ProductFormat",
    "ProductProfile",
    "exact_product",
    "exact_products",
    "observed_adc_bits",
    "predict_distortion",
    "profile_product",
    "required_adc_bits",
    "sqnr_db",
]
