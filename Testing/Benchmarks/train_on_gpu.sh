#!/usr/bin/env bash
# Train the sparse diffusion on a GPU machine for a bounded time, from the last checkpoint or the shipped weights,
# then measure it on held-out cases. Before that it measures what nobody could without a GPU: whether it gives the
# numbers of the CPU, and its times. Interrupt it at any time: the same command goes on.
#   Testing/Benchmarks/train_on_gpu.sh OUT [MINUTES] [STEPS]
# Where the machine has no internet, put the wheels it lacks into wheels/ first:
#   pip download --only-binary :all: -c Testing/constraints.txt -d wheels diffusers safetensors accelerate SimpleITK pydicom \
#       psutil pytest iniconfig pluggy
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:?folder for the run}; minutes=${2:-22}; steps=${3:-20000}
if [ -d wheels ]; then python3 -m pip install --quiet --no-index --no-deps wheels/*.whl; fi
export PYTHONPATH=XRADiffSlicer OMP_NUM_THREADS=1
weights=XRADiffSlicer/Resources/Models/sparse_diffusion_both.safetensors
begin=(); [ -f "$weights" ] && begin=(--begin "$weights")
cores=$(nproc)
mkdir -p "$out"
if [ ! -f "$out/speed.md" ]; then
    python3 -m pytest -q -o addopts=--import-mode=importlib -W default Testing/Core/test_sparse_devices.py 2>&1 | tee "$out/cuda_tests.txt" || true
    python3 Testing/Benchmarks/sparse_diffusion_speed.py --device cuda 2>&1 | tee "$out/speed.md" || rm "$out/speed.md"
fi
timeout --signal=TERM "$((minutes * 60))" python3 -m xradiff train sparse_diffusion --generate 2000064 \
    --mixture views --validation-cases 64 --steps "$steps" --batch 8 --warmup 100 --average 0.999 \
    --validate-every 500 --checkpoint-every 250 --precision bfloat16 --device cuda --workers "$((cores - 2))" \
    --set learning_rate=2e-3 --set start=sparse_diffusion_coarse "${begin[@]}" --out "$out/train" || echo "stopped after $minutes minutes"
for side in right left; do
    python3 -m xradiff synthesize --out "$out/$side" --cases 60 --seed 990001 --side "$side" --workers "$cores"
    python3 -m xradiff benchmark --data "$out/$side" --methods visual_hull,sparse_diffusion --out "$out/bench-$side" \
        --set calibrate=off --set sparse_diffusion.weights="$out/train/best.safetensors" --workers "$((cores / 2))"
done
rm -rf "$out/right" "$out/left"
ls -l "$out" "$out/train"
