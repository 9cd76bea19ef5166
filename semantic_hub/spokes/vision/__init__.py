"""Vision spoke: pictures as soft tokens against their captions.

Similarity pairs a picture with its caption; a hard negative has one wrong color or shape. The lens
reads at patches of the picture: is the likeliest token their color, the label of their region, a
word of the caption? Steering recolors one half of a picture inside the model; patching replaces one
picture by another. Source: Wu et al. 2025, arXiv 2411.04986, sections 4 and 5 (images).
"""

from semantic_hub.spokes.vision.images.coco import coco_captions, coco_panoptic
from semantic_hub.spokes.vision.images.drawn import (
    Canvas,
    drawn_pictures,
    halves,
    one_color,
    random_pictures,
    shapes,
)
from semantic_hub.spokes.vision.images.files import read_pictures
from semantic_hub.spokes.vision.images.picture import COLORS, Picture, Region, patch_features
from semantic_hub.spokes.vision.inputs import PLAIN, EncodedPicture, Wording, encode_picture
from semantic_hub.spokes.vision.interventions import (
    COMBINATIONS,
    WHOLE_PICTURE,
    RecolorItem,
    new_color,
    patch_pairs,
    recolor_items,
    steering,
)
from semantic_hub.spokes.vision.pairing import hard_negatives, pairs
from semantic_hub.spokes.vision.reading import (
    PatchReadouts,
    caption_readouts,
    color_readouts,
    segment_readouts,
)
from semantic_hub.spokes.vision.spoke import VisionSpoke

__all__ = [
    "COLORS",
    "COMBINATIONS",
    "PLAIN",
    "WHOLE_PICTURE",
    "Canvas",
    "EncodedPicture",
    "PatchReadouts",
    "Picture",
    "RecolorItem",
    "Region",
    "VisionSpoke",
    "Wording",
    "caption_readouts",
    "coco_captions",
    "coco_panoptic",
    "color_readouts",
    "drawn_pictures",
    "encode_picture",
    "halves",
    "hard_negatives",
    "new_color",
    "one_color",
    "pairs",
    "patch_features",
    "patch_pairs",
    "random_pictures",
    "read_pictures",
    "recolor_items",
    "segment_readouts",
    "shapes",
    "steering",
]
