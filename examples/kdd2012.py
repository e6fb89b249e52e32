"""KDD Cup 2012 track 2, 149.6 million rows, by the protocol of NASRec and of "Towards Automated Model Design on
Recommender Systems": data, supernet, search, training from scratch, report, in one resumable run.

python examples/kdd2012.py FOLDER [--rows 200000] [--search-rows 4000000] [--encoding vocabulary] [--out runs/kdd2012]

FOLDER holds training.txt and userid_profile.txt. No log at hand?  moco data generate kdd2012 FOLDER --rows 200000
"""

from public_logs import Published, main

if __name__ == "__main__":
    main(
        __doc__,
        "kdd2012",
        (Published("NASRec-Small", 0.1495, 0.8135, 3.48), Published("NASRec-Full", 0.1491, 0.8154, 1.09)),
        "The authors' encoding reads `Impression`, which is known only after the fact and leaks the label;\n"
        "--encoding vocabulary leaves it out.",
    )
