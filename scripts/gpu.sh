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

recipe() {  # CONFIG SEED [ARGUMENTS...]: trains, keeps results.json, and prints a line
  local name=$1-seed$2 began=$SECONDS code
  (cd "$output" && python3 -m lit_cnn fit --config "$1" --seed_everything "$2" --name "$name" "${given[@]}" "${@:3}") \
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
      python3 -m lit_cnn check --config resnet18_cifar --config overlays/fast "${images[@]}" 2>&1 \
        | tee "$output/tuned.txt" | sed '/^LitResNet/,$d'  # the table of settings
      ;;
    airbench)
      recipe airbench94_cifar 0
      if [[ -n $airbench ]]; then
        theirs=(python3 scripts/verify_airbench.py "$airbench" --data_dir "$data")
        [[ -d $data/train ]] && theirs+=(--data ImageFolderDataModule)
        "${theirs[@]}" --device cuda --steps 25 2>&1 | tee "$output/airbench_steps.txt" | tail -n 12
        "${theirs[@]}" --device cuda --runs "${WHOLE_RUNS:-3}" --eager "${on_gpu[@]}" 2>&1 \
          | tee "$output/airbench_runs.txt" | tail -n 8
      fi
      ;;
    recipes)  # the most wanted come first
      while read -r config seed; do
        while (($(jobs -rp | wc -l) >= at_once)); do wait -n; done
        if ((SECONDS > last_start)); then echo "$config-seed$seed: not started, since time is up"; continue; fi
        recipe "$config" "$seed" &
      done <<'RUNS'
resnet18_cifar 0
preact_resnet18_cifar 0
wide_resnet16_4_cifar 0
resnet20_cifar 0
plain20_cifar 0
vgg16_bn_cifar 0
vgg16_cifar 0
alexnet_cifar 0
zfnet_cifar 0
googlenet_cifar 0
inception_v2_cifar 0
resnext50_32x4d_cifar 0
inception_v3_cifar 0
pointwise_cnn_cifar 0
dilated_cnn_cifar 0
airbench94_cifar 1
airbench94_cifar 2
resnet18_cifar 1
resnet20_cifar 1
plain20_cifar 1
vgg16_bn_cifar 1
resnet18_cifar 2
resnet20_cifar 2
plain20_cifar 2
vgg16_bn_cifar 2
RUNS
      wait ;;
    *) echo "There is no part $part." >&2; exit 2 ;;
  esac
done
echo "all: $SECONDS s"
