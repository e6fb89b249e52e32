"""Criteo Kaggle, 45.8 million rows, by the protocol of NASRec and of "Towards Automated Model Design on Recommender
Systems": data, supernet, search, training from scratch, report, in one resumable run.

python examples/criteo.py train.txt [--rows 200000] [--search-rows 4000000] [--encoding vocabulary] [--out runs/criteo]

No log at hand?  moco data generate criteo train.txt --rows 200000
"""

from public_logs import Published, main

if __name__ == "__main__":
    main(
        __doc__,
        "criteo",
        (Published("NASRec-Small", 0.4399, 0.8118, 2.20), Published("NASRec-Full", 0.4408, 0.8107, 1.45)),
        "The authors' splitter shifts every row by one against its fold; here each row has its own.",
    )
