# %% [markdown]
# # A spoke of your own
# A spoke is data and meaning: named sets of pairs and of read-outs. `run` does the rest.

# %%
from collections.abc import Mapping, Sequence

import semantic_hub as sh
from semantic_hub.spokes.lexicon.names import cldr_names

MODEL = "hub-mini"

# %% real model
# MODEL = "google/gemma-2-2b"


# %%
class Calendar(sh.Spoke):
    """Days and months in two languages, and what follows two of them."""

    name = "calendar"

    def pairs(self) -> Mapping[str, sh.Pairs]:
        return {kind: sh.spokes.language.word_pairs("en", "es", kind) for kind in ("day", "month")}

    def readouts(self) -> Mapping[str, Sequence[sh.Readout]]:
        english, spanish, french = (cldr_names("month", code) for code in ("en", "es", "fr"))
        return {
            "month after two": [
                sh.Readout(
                    sh.Prompt(f"{spanish[str(m - 2)]}, {spanish[str(m - 1)]},"),
                    {
                        "surface": (spanish[str(m)],),
                        "hub": (english[str(m)],),
                        "control": (french[str(m)],),
                    },
                )
                for m in range(3, 13)
            ]
        }


# %%
model = sh.load_model(MODEL)
findings = sh.run(model, Calendar())
print(findings.to_frame().query("layer == 4").round(3).to_string(index=False))

# %%
page = sh.report(model, [Calendar()])  # page.save("calendar.html")
