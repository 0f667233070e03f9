"""The base of what crosses Temporal. A message class only ever gains fields, last, with a default: histories are read for years.

No message carries personal data: ids, states, instants and numbers only.
"""

from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    # An older worker reads what a newer one wrote: what it does not know, it ignores.
    model_config = ConfigDict(frozen=True, extra="ignore")
