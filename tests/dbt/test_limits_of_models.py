"""dbt runs under the limits of the settings, and says which one to change when it needs more."""

import pytest

from assets.dbt import runner
from assets.shared.errors import UserError
from assets.shared.settings import Settings, prepare_home

#: A list of twenty million numbers is one value, and one value cannot be put on disk in parts.
TOO_LARGE = "select len(list(i)) as n from range(20_000_000) as r(i)"


def test_dbt_keeps_the_limits_and_its_words_are_understood(project, tmp_path):
    settings = Settings(home=tmp_path, sources=("shop",), memory_limit="60MB", threads=1)
    prepare_home(settings)
    with pytest.raises(UserError, match="HOLDFAST_MEMORY_LIMIT"):
        runner.invoke_dbt(settings, ["show", "--inline", TOO_LARGE], manifest=project.manifest.deepcopy())
