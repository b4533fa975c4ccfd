"""Self-contained HTML reports: blocks of a page, plots, pictures, and the page of an evaluation."""
