# Other names for the two commands; `python3 dev.py` says more.
.PHONY: demo test check

demo test check:
	python3 dev.py $@
