# What `cxjourney` offers, and where each name lives: `__init__.py` reads these lines when it is
# imported, and imports a name when it is first used.

from cxjourney import attribution as attribution
from cxjourney import blueprint as blueprint
from cxjourney import compare as compare
from cxjourney import critical as critical
from cxjourney import datasets as datasets
from cxjourney import domain as domain
from cxjourney import dropoff as dropoff
from cxjourney import exceptions as exceptions
from cxjourney import experience as experience
from cxjourney import graph as graph
from cxjourney import io as io
from cxjourney import journeys as journeys
from cxjourney import log as log
from cxjourney import markov as markov
from cxjourney import metrics as metrics
from cxjourney import omnichannel as omnichannel
from cxjourney import plot as plot
from cxjourney import report as report
from cxjourney import sequences as sequences
from cxjourney import whatif as whatif
from cxjourney._versions import show_versions as show_versions
from cxjourney.domain import CONVERSION as CONVERSION
from cxjourney.domain import DROPOFF as DROPOFF
from cxjourney.domain import MISSING as MISSING
from cxjourney.domain import START as START
from cxjourney.domain import Account as Account
from cxjourney.domain import Channel as Channel
from cxjourney.domain import ChannelKind as ChannelKind
from cxjourney.domain import Customer as Customer
from cxjourney.domain import Emotion as Emotion
from cxjourney.domain import Interaction as Interaction
from cxjourney.domain import Journey as Journey
from cxjourney.domain import JourneyBlueprint as JourneyBlueprint
from cxjourney.domain import Outcome as Outcome
from cxjourney.domain import Stage as Stage
from cxjourney.domain import StageModel as StageModel
from cxjourney.domain import Touchpoint as Touchpoint
from cxjourney.exceptions import CxJourneyError as CxJourneyError
from cxjourney.exceptions import CxJourneyWarning as CxJourneyWarning
from cxjourney.graph import JourneyGraph as JourneyGraph
from cxjourney.io import from_sequences as from_sequences
from cxjourney.io import from_wide as from_wide
from cxjourney.io import read_csv as read_csv
from cxjourney.io import read_parquet as read_parquet
from cxjourney.io import read_xes as read_xes
from cxjourney.journeys import Journeys as Journeys
from cxjourney.journeys import TransitionGaps as TransitionGaps
from cxjourney.journeys import journey_graph as journey_graph
from cxjourney.log import InteractionLog as InteractionLog
from cxjourney.markov import AbsorbingChain as AbsorbingChain
from cxjourney.metrics import Estimate as Estimate

__version__: str
