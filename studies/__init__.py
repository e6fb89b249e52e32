"""Multi-objective studies of any space and any function: engines, SQLite storage, fronts.

study = Study("name", space, [Objective(name="cost"), Objective(name="error")], storage="study.db")
study.optimize(evaluate, n_trials=2000)
print(study.front().values)
"""

from studies.engines import ENGINES
from studies.failures import TooManyFailuresError
from studies.front import is_non_dominated, knee
from studies.listing import StudyInfo, list_studies
from studies.objective import Constraint, Evaluation, Objective
from studies.sqlite import StudyBusyError, StudyFileError, StudyWriteError
from studies.study import Study
from studies.summary import Progress
from studies.trials import Failures, Trials

__all__ = [
    "ENGINES",
    "Constraint",
    "Evaluation",
    "Failures",
    "Objective",
    "Progress",
    "Study",
    "StudyBusyError",
    "StudyFileError",
    "StudyInfo",
    "StudyWriteError",
    "TooManyFailuresError",
    "Trials",
    "is_non_dominated",
    "knee",
    "list_studies",
]
