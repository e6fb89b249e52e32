"""The choices of the processing-in-memory chip.

Values are plain numbers and words under the names that the hardware model uses; this file knows nothing of costs.
Pairs that no chip could have cannot be expressed: wordlines driven together are a part of the crossbar's, and the
fewest columns of a crossbar are the most that one ADC reads.
"""

from __future__ import annotations

from spaces.space import ChoiceBlock, Space

HARDWARE_SPACE = Space(
    name="reram-pim",
    blocks=(
        ChoiceBlock("crossbar_size", (32, 64, 128, 256), is_ordered=True),
        ChoiceBlock("cell_bits", (1, 2, 4), is_ordered=True),
        ChoiceBlock("dac_bits", (1, 2, 4), is_ordered=True),
        ChoiceBlock("adc_bits", (4, 5, 6, 7, 8, 9, 10), is_ordered=True),
        ChoiceBlock("adc_range", ("full-scale", "unit-step", "k-sigma")),
        ChoiceBlock("columns_per_adc", (4, 8, 16, 32), is_ordered=True),
        ChoiceBlock("wordline_groups", (1, 2, 4, 8), is_ordered=True),
        ChoiceBlock("activation_bits", (4, 6, 8), is_ordered=True),
        ChoiceBlock("weight_encoding", ("isaac", "differential")),
        ChoiceBlock("product_unit", ("digital", "crossbar")),
        ChoiceBlock("n_copies", (1, 2, 4, 8, 16), is_ordered=True),
        ChoiceBlock("execution", ("pipelined", "layer-by-layer")),
        ChoiceBlock("table_memory", ("reram", "lpddr4", "hbm2")),
        ChoiceBlock("table_bits", (4, 8, 16, 32), is_ordered=True),
    ),
)
"""One chip: all operators of a network run on crossbars of one kind.

wordline_groups: a crossbar's wordlines are driven in this many groups, one after the other. weight_encoding: how
cells hold signed weights, ISAAC's biased columns or differential pairs. product_unit: where products of two
activations are done, in digital multipliers or in cells written first. n_copies: copies of the weights of operators
that send several vectors. execution: operators side by side in a pipeline, or one after the other on shared
crossbars. table_memory, table_bits: where the embedding tables live, and the bits of one stored number.
"""
