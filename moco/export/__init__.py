"""A trained network as a folder for whoever uses it: weights, ONNX, chip, preprocessing, figures; and its predictions.

`moco.export.folder` writes such a folder, `moco.export.predict` reads one. Neither is imported here, so that predicting
does not wait for torch.
"""
