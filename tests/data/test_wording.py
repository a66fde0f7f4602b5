from graphattn.data.wording import listed


def test_one_two_and_three_names():
    assert listed(["a"]) == "'a'"
    assert listed(["a", "b"]) == "'a' and 'b'"
    assert listed(["a", "b", "c"], "or") == "'a', 'b' or 'c'"
    assert listed([]) == ""


def test_many_or_long_names_stay_one_line():
    assert listed([f"c{n}" for n in range(1500)]).endswith("'c18', 'c19' and 1,480 more")
    assert listed(["a\n" * 1000]) == repr("a\n" * 20 + "...")
