"""Avazu, 40.4 million rows, by the protocol of NASRec and of "Towards Automated Model Design on Recommender Systems":
data, supernet, search, training from scratch, report, in one resumable run.

python examples/avazu.py train.gz [--rows 200000] [--search-rows 4000000] [--encoding vocabulary] [--out runs/avazu]

No log at hand?  moco data generate avazu train.csv --rows 200000
"""

from public_logs import Published, main

if __name__ == "__main__":
    main(
        __doc__,
        "avazu",
        (Published("NASRec-Small", 0.3747, 0.7887, 3.08), Published("NASRec-Full", 0.3737, 0.7903, 1.87)),
        "The authors' encoding reads `id`, which names the row; --encoding vocabulary leaves it out.",
    )
