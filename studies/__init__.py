"""Multi-objective studies of any space and any function: engines, SQLite storage, fronts.

study = Study("name", space, [Objective(name="cost"), Objective(name="error")], storage="study.db")
study.optimize(evaluate, n_trials=2000)
print(study.front().values)

What needs Optuna to be imported stays in its modules: studies.exchange.optuna_export, studies.exchange.optuna_import,
and studies.shared.study, one study in a database that many processes search.
"""

from studies.engines import ENGINES
from studies.exchange.table import export_table
from studies.failures import TooManyFailuresError
from studies.files.listing import StudyInfo, list_studies
from studies.files.manage import copy_study, delete_study, rename_study
from studies.files.merge import Merged, merge_studies
from studies.files.stored import open_study
from studies.front import is_non_dominated, knee
from studies.objective import Constraint, Evaluation, Objective
from studies.sharding import sharded
from studies.storage.sqlite import StudyBusyError, StudyFileError, StudyWriteError
from studies.study import Study
from studies.summary import Progress
from studies.trials import Failures, Trials

__all__ = [
    "ENGINES",
    "Constraint",
    "Evaluation",
    "Failures",
    "Merged",
    "Objective",
    "Progress",
    "Study",
    "StudyBusyError",
    "StudyFileError",
    "StudyInfo",
    "StudyWriteError",
    "TooManyFailuresError",
    "Trials",
    "copy_study",
    "delete_study",
    "export_table",
    "is_non_dominated",
    "knee",
    "list_studies",
    "merge_studies",
    "open_study",
    "rename_study",
    "sharded",
]
