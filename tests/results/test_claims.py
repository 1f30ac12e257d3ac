"""Files of claims: what is wrong in one is said with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.model import load_model
from user_input import UserError
from workflow.results.claims import read_claims


@pytest.mark.parametrize(
    ('claim', 'message'),
    [
        ("expect = 'fals'\nquantity = 'density'", r"claim.0.expect'.*given: 'fals'"),
        ("expect = { grater = [1, 2] }\nquantity = 'density'", "Did you mean 'greater'"),
        ('expect = { greater = [1] }\nquantity = "density"', 'greater'),
        ("expect = 'falls'\nquantity = 'p2_tim_backbone'", "Did you mean 'p2_time_backbone'"),
        ("expect = 'falls'\nquantity = 'p2_time_XYZ*'", "named 'p2_time_XYZ"),
        ("expect = 'falls'", "needs a 'quantity'"),
        ('', "give either 'expect'"),
        ("expect = 'falls'\nquantity = 'density'\nnot_tested = 'why'", "give either 'expect'"),
        ('expect = {}\nquantity = "density"', 'minimum_at'),
    ],
)
def test_a_wrong_claim_says_where_and_what(tmp_path: Path, claim: str, message: str) -> None:
    path = tmp_path / 'claims.toml'
    path.write_text(f"title = 't'\n[[claim]]\ntext = 'a'\nsource = 'b'\n{claim}\n")
    with pytest.raises(UserError, match=message) as error:
        read_claims('claims.toml', tmp_path / 'sweep.toml', load_model('isp'))
    assert str(path) in str(error.value)


def test_a_missing_file_of_claims_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"report.claims: there is no file 'none.toml'.*Correct"):
        read_claims('none.toml', tmp_path / 'sweep.toml', load_model('isp'))
