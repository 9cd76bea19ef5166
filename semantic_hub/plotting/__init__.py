"""How does a result look?

`curves` draws curves over layers, `multiples` small multiples, `tokens` colored tokens and maps of
them; `style` is the template of all figures, `text` makes tokens readable and safe to show,
`progress` shows how far a long measurement is. Most take data frames and return plotly figures:
nothing here computes, and nothing is imported until a figure is drawn.
"""
