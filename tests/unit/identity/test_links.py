"""`person_links.csv`: what it may say, and what is refused in words."""

import pytest

from assets.identity.links import CANNOT, MUST, Link, read_links
from assets.shared.errors import UserError

HEAD = "link,customer_id,other_customer_id,reason\n"


def test_rows_are_read_with_the_smaller_id_first_and_other_columns_left_alone(tmp_path):
    path = tmp_path / "person_links.csv"
    path.write_text(HEAD + "must_link, b ,a,same person called\ncannot_link,a,c,\ncannot_link,c,a,\n")
    assert read_links(path) == [Link(MUST, "a", "b"), Link(CANNOT, "a", "c")]
    assert read_links(tmp_path / "absent.csv") == []


@pytest.mark.parametrize(
    "text, what",
    [
        ("link,customer_id\n", "no column other_customer_id"),
        (HEAD + "maybe,a,b,\n", "row 2: link 'maybe' is unknown"),
        (HEAD + "must_link,a,,\n", "row 2: an id is empty"),
        (HEAD + "must_link,a,b,\nmust_link,a,a,\n", "row 3: a twice"),
        (HEAD + "must_link,a,b,\nmust_link,b,c,\ncannot_link,c,a,\n", "a and c are one person by must_link"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, text, what):
    path = tmp_path / "person_links.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=what):
        read_links(path)
