"""The interaction log: its columns, preparation and audit."""

from __future__ import annotations

from cxjourney.log._accounts import by_account as by_account
from cxjourney.log._audit import LogAudit
from cxjourney.log._axis import odd_times as odd_times
from cxjourney.log._columns import Coded as Coded
from cxjourney.log._columns import Columns as Columns
from cxjourney.log._columns import Rows as Rows
from cxjourney.log._concat import stacked as stacked
from cxjourney.log._concat import stacked_numbers as stacked_numbers
from cxjourney.log._encode import encode_ids as encode_ids
from cxjourney.log._encode import encode_names as encode_names
from cxjourney.log._encode import encode_numbers as encode_numbers
from cxjourney.log._encode import encode_values as encode_values
from cxjourney.log._encode import narrow as narrow
from cxjourney.log._frames import backend_of as backend_of
from cxjourney.log._frames import framed as framed
from cxjourney.log._identities import ORIGINAL as ORIGINAL
from cxjourney.log._identities import regrouped as regrouped
from cxjourney.log._identity_links import IdentityLinks as IdentityLinks
from cxjourney.log._ingest import NO_SEQ as NO_SEQ
from cxjourney.log._ingest import OF_TABLE as OF_TABLE
from cxjourney.log._ingest import Intake as Intake
from cxjourney.log._ingest import log_of_columns as log_of_columns
from cxjourney.log._ingest import moment as moment
from cxjourney.log._ingest import one_currency as one_currency
from cxjourney.log._interaction_log import InteractionLog
from cxjourney.log._objects import customer_object as customer_object
from cxjourney.log._objects import interaction_objects as interaction_objects
from cxjourney.log._owners import ALWAYS as ALWAYS
from cxjourney.log._owners import FOREVER as FOREVER
from cxjourney.log._owners import united as united
from cxjourney.log._prepare import channels_carried as channels_carried
from cxjourney.log._prepare import check_free as check_free
from cxjourney.log._pseudonyms import PROTECTED as PROTECTED
from cxjourney.log._pseudonyms import check_protected as check_protected
from cxjourney.log._pseudonyms import ids_as_in as ids_as_in
from cxjourney.log._pseudonyms import pseudonymised as pseudonymised
from cxjourney.log._pseudonyms import refuse_strangers as refuse_strangers
from cxjourney.log._reading import EpochUnit as EpochUnit
from cxjourney.log._reading import FurtherColumns as FurtherColumns
from cxjourney.log._reading import Reading as Reading
from cxjourney.log._reading import argument_of as argument_of
from cxjourney.log._reading import attribute_role as attribute_role
from cxjourney.log._reading import check_epoch_unit as check_epoch_unit
from cxjourney.log._reading import check_no_column as check_no_column
from cxjourney.log._reading import column_names as column_names
from cxjourney.log._reading import columns_of as columns_of
from cxjourney.log._reading import is_currency_code as is_currency_code
from cxjourney.log._relations import relation_columns as relation_columns
from cxjourney.log._ties import in_order_of_names as in_order_of_names

__all__ = ["InteractionLog", "LogAudit"]


def __dir__() -> list[str]:
    return list(__all__)
