"""An Airflow DAG: every night, a new model from S3 to an image, and nothing at all if the model is the old one.

    fetch ──▶ adopt ──▶ publish

Put it into the DAGs folder of an Airflow (3.0 or newer) whose workers have this repository, Rust, and a Python with
`model/requirements.txt`. Airflow's variables say where things are:

    pick_regno_repository   a checkout of this repository
    pick_regno_bucket       where training leaves the model; the key is pick-regno/model.cbm
    pick_regno_registry     where the image goes: registry.example/pick-regno

`adopt` fails if the program does not answer as CatBoost does, to the bit; `publish` then does not run. Deploying the image
stays a person's decision, with `report.md` at hand.
"""

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

# One folder a run, so that each report can be looked up later.
FOLDER = "/var/lib/pick-regno/models/{{ ds }}"
REPOSITORY = "{{ var.value.pick_regno_repository }}"

with DAG(
    dag_id="pick_regno_model",
    description="A new model, from S3 to an image",
    start_date=datetime(2026, 1, 1),
    schedule="0 3 * * *",
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
) as dag:
    # Exit code 3 says that the model has not changed: the task is skipped then, and so are those after it.
    # The keys to S3 are in the environment of the worker.
    fetch = BashOperator(
        task_id="fetch",
        bash_command=(
            f"{REPOSITORY}/deploy/new-model/fetch.sh {{{{ var.value.pick_regno_bucket }}}} pick-regno/model.cbm"
            " /var/lib/pick-regno/model.cbm"
        ),
        skip_on_exit_code=3,
    )
    adopt = BashOperator(
        task_id="adopt",
        bash_command=f"rm -rf {FOLDER} && {REPOSITORY}/model/adopt.sh /var/lib/pick-regno/model.cbm {FOLDER}",
        execution_timeout=timedelta(hours=1),
        retries=0,
    )
    publish = BashOperator(
        task_id="publish",
        bash_command=(
            f"docker build --tag {{{{ var.value.pick_regno_registry }}}}:{{{{ ds_nodash }}}} {FOLDER}/image"
            " && docker push {{ var.value.pick_regno_registry }}:{{ ds_nodash }}"
        ),
    )
    fetch >> adopt >> publish
