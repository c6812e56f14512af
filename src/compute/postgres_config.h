// postgres_config.h: the settings a compute's PostgreSQL runs with.
//
// What safety rests on goes on the command line, where neither ALTER SYSTEM nor the endpoint's own
// settings reach. The rest is a generated postgresql.conf.
#pragma once

#include <string>
#include <vector>

#include "compute/spec.h"

namespace tarn::compute {

// Connections the service allows at a size (0.5 CU: 104, 1: 209, 2: 419, ..., from 32: 4000).
int max_connections(double max_cu);

// `least_prepared_transactions`: what the control file says; PostgreSQL refuses to start with less.
std::string postgresql_conf(const SuperviseSpec& spec, uint32_t least_prepared_transactions);
std::string pg_hba_conf();
std::vector<std::string> command_line(const SuperviseSpec& spec);
// A value as postgresql.conf wants it.
std::string quoted_setting(const std::string& value);

}  // namespace tarn::compute
