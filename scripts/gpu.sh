#!/usr/bin/env bash
# Runs everything that needs an NVIDIA GPU, within 10 minutes on one card: tests, speed, and the recipes of CIFAR-10.
#
#   scripts/gpu.sh DATA OUTPUT [AIRBENCH]
#
# DATA      CIFAR-10: a folder with train/ and test/ images, or torchvision's data_dir
# OUTPUT    folder for the runs, their results.json files (results/) and what they printed
# AIRBENCH  a checkout of github.com/KellerJordan/cifar10-airbench, whose script is then run beside ours
#
# PARTS="tests speed airbench recipes" chooses; AT_ONCE=6 is the number of trainings that share the card in `recipes`.
set -uo pipefail
cd "$(dirname "$0")/.."
data=$(realpath "$1") output=$(realpath -m "$2") airbench=${3:+$(realpath "$3")}
parts=${PARTS:-tests speed airbench recipes} at_once=${AT_ONCE:-6} last_start=${LAST_START:-480}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
mkdir -p "$output/results"
on_gpu=(--trainer.accelerator gpu --trainer.devices 1 --trainer.precision bf16-mixed --data.resident true)
on_gpu+=(--trainer.benchmark true)
given=("${on_gpu[@]}" --pictures.enabled false --trainer.enable_progress_bar false)
images=(--data.data_dir "$data") && [[ -d $data/train ]] && images+=(--data ImageFolderDataModule)
given+=("${images[@]}")

recipe() {  # CONFIG NAME SEED [ARGUMENTS...]: trains, keeps results.json, and prints a line
  local name=$2-seed$3 began=$SECONDS code
  (cd "$output" && python3 -m lit_cnn fit --config "$1" --seed_everything "$3" --name "$name" "${given[@]}" "${@:4}") \
    > "$output/$name.txt" 2>&1
  code=$?
  cp "$output/logs/$name"/version_*/results.json "$output/results/$name.json" 2> /dev/null
  echo "$name: exit $code, $((SECONDS - began)) s, $(grep -E '^test' "$output/$name.txt" | tail -n 1)"
}

nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
python3 -c "import torch, lightning; print('torch', torch.__version__, 'lightning', lightning.__version__)"
for part in $parts; do
  echo "== $part, after $SECONDS s"
  case $part in
    tests) python3 -m pytest -q -m gpu tests/test_gpu.py 2>&1 | tee "$output/tests.txt" | tail -n 15 ;;
    speed)
      python3 scripts/bench.py gpu --repetitions 3 --only "${SPEED:-}" 2>&1 | tee "$output/speed.txt"
      python3 -m lit_cnn check --config recipes/cifar --config overlays/fast "${images[@]}" 2>&1 \
        | tee "$output/tuned.txt" | sed '/^LitResNet/,$d'  # the table of settings
      ;;
    airbench)
      recipe airbench94_cifar airbench94_cifar 0
      if [[ -n $airbench ]]; then
        theirs=(python3 scripts/verify_airbench.py "$airbench" --data_dir "$data")
        [[ -d $data/train ]] && theirs+=(--data ImageFolderDataModule)
        "${theirs[@]}" --device cuda --steps 25 2>&1 | tee "$output/airbench_steps.txt" | tail -n 12
        "${theirs[@]}" --device cuda --runs "${WHOLE_RUNS:-3}" --eager "${on_gpu[@]}" 2>&1 \
          | tee "$output/airbench_runs.txt" | tail -n 8
      fi
      ;;
    recipes)  # the whole recipe, or a config at its own length; the most wanted come first
      while read -r config name seed arguments; do
        while (($(jobs -rp | wc -l) >= at_once)); do wait -n; done
        if ((SECONDS > last_start)); then echo "$name-seed$seed: not started, since time is up"; continue; fi
        # shellcheck disable=SC2086 # several arguments
        recipe "$config" "$name" "$seed" $arguments &
      done <<'RUNS'
recipes/cifar resnet18 0 --model LitResNet --model.name resnet18
recipes/cifar preact_resnet18 0 --model LitPreActResNet --model.name preact_resnet18
recipes/cifar wide_resnet16_4 0 --model LitPreActResNet --model.name wide_resnet16_4
recipes/cifar resnet20 0 --model LitCIFARResNet --model.name resnet20
recipes/cifar plain20 0 --model LitCIFARResNet --model.name resnet20 --model.residual false
recipes/cifar vgg16_bn 0 --model LitVGG --model.name vgg16_bn
recipes/cifar vgg16 0 --model LitVGG --model.name vgg16 --model.lr 0.02 --data.batch_size 128
recipes/cifar alexnet 0 --model LitAlexNet --model.lr 0.02 --data.batch_size 128
recipes/cifar zfnet 0 --model LitZFNet --model.lr 0.02 --data.batch_size 128 --trainer.max_epochs 10
googlenet_cifar googlenet_cifar 0
inception_v2_cifar inception_v2_cifar 0
resnext50_32x4d_cifar resnext50_32x4d_cifar 0
recipes/cifar inception_v3 0 --model LitInceptionV3 --trainer.max_epochs 10
pointwise_cnn_cifar pointwise_cnn_cifar 0
dilated_cnn_cifar dilated_cnn_cifar 0
airbench94_cifar airbench94_cifar 1
airbench94_cifar airbench94_cifar 2
recipes/cifar resnet18 1 --model LitResNet --model.name resnet18
recipes/cifar resnet20 1 --model LitCIFARResNet --model.name resnet20
recipes/cifar plain20 1 --model LitCIFARResNet --model.name resnet20 --model.residual false
recipes/cifar vgg16_bn 1 --model LitVGG --model.name vgg16_bn
recipes/cifar resnet18 2 --model LitResNet --model.name resnet18
recipes/cifar resnet20 2 --model LitCIFARResNet --model.name resnet20
recipes/cifar plain20 2 --model LitCIFARResNet --model.name resnet20 --model.residual false
recipes/cifar vgg16_bn 2 --model LitVGG --model.name vgg16_bn
RUNS
      wait ;;
    *) echo "There is no part $part." >&2; exit 2 ;;
  esac
done
echo "all: $SECONDS s"
