"""The verb `completion`: scripts for shells, and the JSON schema of configs and experiments."""

import json
import shutil
import subprocess

import pytest
import yaml
from jsonschema import Draft202012Validator

from lit_cnn.cli.main import COMMANDS, VERBS
from lit_cnn.cli.shipped_configs import shipped_configs, shipped_experiments

# Asks bash as the Tab key does: the words so far, the last of which is to be completed.
ASK = """
source ./script
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
ask=$(complete -p lit_cnn); ask=${ask#*-F }
${ask% *} lit_cnn "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_verbs_configs_settings_and_values(lit_cnn, tmp_path):
    (tmp_path / "script").write_text(lit_cnn("completion", "bash").out)

    def completed(*words):
        return set(subprocess.check_output(["bash", "-c", ASK, "bash", "lit_cnn", *words], text=True).split())

    assert completed("") == {*VERBS, *COMMANDS}
    assert completed("fit", "--config", "qui") == completed("fit", "qui") == completed("check", "qui") == {"quickstart"}
    assert completed("fit", "--model", "LitVG") == {"LitVGG"}
    assert completed("fit", "quickstart", "--model.opt") == {"--model.optimizer", "--model.optimizer_args"}
    assert completed("fit", "--data.permute", "") == {"true", "false"}
    assert completed("fit", "--data.permute_kind", "=", "wi") == {"within_blocks"}
    assert completed("fit", "--data.permute_seed", "=") == {"seed"}
    assert completed("fit", "--data.permute_kind", "=", "rows", "--data.permute_b") == {"--data.permute_block"}
    assert completed("ablate", "exer") == {"exercise"}
    (tmp_path / "exercise_of_mine.yaml").touch()
    assert completed("ablate", "exer") == {"exercise", "exercise_of_mine.yaml"}
    assert completed("fit", "--config", "exer") == completed("fit", "exer") == {"exercise_of_mine.yaml"}
    assert completed("fit", "quickstart", "--print_config", "--model.lr_") == set()
    assert completed("fit", "--model.help", "LitVG") == {"LitVGG"}
    assert completed("fit", "--model.optimizer", "Muo") == {"Muon"}
    assert completed("fit", "--trainer.accelerator", "") >= {"auto", "cpu", "gpu", "cuda", "mps", "tpu"}
    assert completed("fit", "--trainer.strategy", "ddp_sp") >= {"ddp_spawn"}
    assert completed("fit", "--trainer.precision", "bf16-") == {"bf16-true", "bf16-mixed"}
    assert completed("fit", "--trainer.gradient_clip_algorithm", "") == {"value", "norm"}
    assert completed("classify", "fast_c") == completed("verify", "--weights", "fast_c") == {"fast_cifar"}
    assert completed("ablate", "exercise", "--data.data_d") == {"--data.data_dir"}
    assert "safetensors" in completed("export", "--format", "")


def test_zsh_completes_both_forms_of_an_option_with_a_value(lit_cnn):
    script = lit_cnn("completion", "zsh").out
    assert '"--data.permute_kind=[data.permute_kind]:data.permute_kind:(pixels blocks' in script
    assert '"--print_config[print_config]"' in script
    if shutil.which("zsh"):
        subprocess.run(["zsh", "-n", "/dev/stdin"], input=script, text=True, check=True)


def test_schema_takes_every_shipped_config_and_refuses_mistakes(lit_cnn):
    schema = json.loads(lit_cnn("completion", "jsonschema").out)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for name, path in (shipped_configs() | shipped_experiments()).items():
        assert not [*validator.iter_errors(yaml.safe_load(path.read_text("utf-8")))], name
    for wrong in (
        {"modell": "LitVGG"},
        {"model": "LitVGX"},
        {"model": {"class_path": "LitVGG", "init_args": {"widht": 3}}},
        {"model": {"class_path": "lit_cnn.LitVGG", "init_args": {"widht": 3}}},
        {"model": {"class_path": "lit_cnn.training.architectures.LitVGG", "init_args": {"widht": 3}}},
        {"model": "lit_cnn.LitVGX"},
        {"data": {"class_path": "CIFAR10DataModule", "init_args": {"batch_size": "many"}}},
        {"data": {"class_path": "CIFAR10DataModule", "init_args": {"augment": ["RandomCrip"]}}},
        {"model": {"class_path": "LitVGG", "init_args": {"lr": -1}}},
        {"model": {"class_path": "LitVGG", "init_args": {"optimizer": "Sgdd"}}},
        {"trainer": {"max_epochs": "ten"}},
        {"seeds": 0},
        {"seeds": [1, 1]},
        {"seed": 3, "axes": {}},
        {"settings": {"trainer.max_epoch": 3}},
        {"settings": {"data.batch_size": "many"}},
        {"settings": {"name": "mine"}},
        {"axes": {"network": ["LeNet", "VGG"]}},
        {"axes": {"network": {"VGG": {"model": "LitVGX"}}}},
        {"axes": {"data.permute": ["perhaps"]}},
        {"axes": {"model.lr": {"high": 0.1}}},
    ):
        assert not validator.is_valid(wrong), wrong
    assert "Learning rate" in json.dumps(schema)
    assert validator.is_valid({"model": {"class_path": "lit_cnn.LitVGG", "init_args": {"lr": 0.1}}})
    assert validator.is_valid({"axes": {"model.lr": [0.1, 0.2], "network": {"mine": {"model": "my_nets.Net"}}}})
    assert validator.is_valid({"model": {"class_path": "my_nets.Net", "init_args": {"any": 3}}})


def test_without_shtab_the_message_names_the_extra(lit_cnn, monkeypatch):
    monkeypatch.setattr("lit_cnn.commands.completion.find_spec", lambda name: None)
    outcome = lit_cnn("completion", "zsh")
    assert (outcome.code, outcome.out) == (2, "")
    assert "pip install 'lit-cnn[completion]'" in outcome.err
