"""How does it look?

`values` and `tables` show values in a console, a notebook and a paper; `progress` shows how far a
long measurement is. `curves` draws curves over layers, `multiples` small multiples, `tokens`
colored tokens and maps of them; `style` is the template of all figures, `text` makes text readable
and safe to show. Most take data frames and return plotly figures: nothing here computes, and
nothing is imported until a figure is drawn.
"""
