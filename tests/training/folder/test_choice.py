"""What is said of how a model was chosen among others."""

from graphattn.training.folder.choice import choice_sentences


def test_a_choice_without_a_defined_score_is_called_undecided():
    scores = {"graph": [None], "forest": [float("nan")], "blend": [None]}
    differences = {"graph": [None, None, None], "forest": [None, None, None]}
    choice = {"kept": "blend", "measure": "R2", "inner": 0, "scores": scores, "differences": differences}
    assert choice_sentences({"choice": choice}) == [
        "Kept: the blend, undecided: R2 on the validation part alone is undefined."
    ]
    known = choice | {"scores": scores | {"forest": [0.5]}, "kept": "forest"}
    assert choice_sentences({"choice": known})[0] == (
        "Kept: the forest, as R2 on the validation part alone says: graph undefined, forest 0.500, blend undefined."
    )
