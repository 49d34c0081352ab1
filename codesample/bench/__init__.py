"""Everything that measures, and nothing that the product needs.

Each command of `codesample bench` yields measurements, which are plain JSON data: `decode` those of
`decode_benchmark` (whole jobs and single steps), `attention` those of `attention_speed`, `step` those of
`model_step`, `loop` those of `loop_overhead`, `execution` those of `execution_speed`, `gpu` most of these
and more for one card (`gpu_bench`: what, in `gpu_plan`; where to, in `gpu_rows`). What is compared with
stands beside them (`decode_methods`, `attention_rivals`, `execution_rivals`). Shared by all: `measurements`
(the files), `machine` (the facts), `timing`, `memory_use`, `tables` and `plots`.
"""
