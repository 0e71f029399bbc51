"""What Dagster loads: the definitions of the home and the sources that the environment names."""

from assets.shared.settings import load_settings
from pipelines.build import build_definitions

defs = build_definitions(load_settings())
