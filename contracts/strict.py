"""What every declared thing is: read from a file, a command line or results, and held to its fields."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Unknown fields are errors, for a misspelt one must not be ignored; so are infinite numbers. Nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
