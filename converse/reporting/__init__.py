"""How numbers are shown: stores → inputs → chapters → tables and figures → HTML, LaTeX, CSV and Markdown."""
