"""Is the searched network better than hand-made ones, and the co-design better than the same searched piecemeal?

`comparison.compare` makes a comparison, `page.tables_of` puts it into tables, `outputs.write_comparison` into files;
`moco.report.tables` and `moco.report.comparison` read it back without torch.
"""
