// Requests and answers as clients see them, over a control plane whose computes are in memory.
#include <httplib.h>

#include "api/server.h"
#include "control/control_fixture.h"
#include "sys/sockets.h"

namespace tarn::api {
namespace {

using control::ControlFixture;

class ApiTest : public ControlFixture {
  protected:
    ApiTest() {
        token_ = control_->identities.bootstrap("jane@example.com")->value();
        info_ = {.version = "1",
                 .http_address = "127.0.0.1:8080",
                 .data_directory = "/data",
                 .workspace_id = control_->identities.workspace_id().value(),
                 .start_time = now_};
        add_all(router_, *control_, info_);
    }

    Response send(const std::string& method, const std::string& path, const std::string& body = "",
                  std::map<std::string, std::string> query = {}) {
        Request request;
        request.method = method;
        request.path = path.starts_with("/") ? path : std::string(kPostgres) + path;
        request.query = std::move(query);
        request.body = body;
        Response response = handle(router_, *control_, std::move(request), "Bearer " + token_);
        return response;
    }
    // "400 INVALID_PARAMETER_VALUE text"
    static std::string failure(const Response& response) {
        if (response.status < 400) return response.body.dump();
        return fmt::format("{} {} {}", response.status, response.body.value("error_code", ""),
                           response.body.value("message", ""));
    }
    void make_project(const std::string& id, const std::string& body = "{}") {
        Response made = send("POST", "projects", body, {{"project_id", id}});
        ASSERT_EQ(made.status, 200) << failure(made);
        settle();
    }
    void make_branch(const std::string& id, const std::string& spec = R"({"no_expiry":true})") {
        Response made =
            send("POST", "projects/p/branches", R"({"spec":)" + spec + "}", {{"branch_id", id}});
        ASSERT_EQ(made.status, 200) << failure(made);
        settle();
    }
    Response patch(const std::string& path, const std::string& spec, const std::string& mask) {
        return send("PATCH", path, R"({"spec":)" + spec + "}", {{"update_mask", mask}});
    }

    std::string token_;
    ServerInfo info_;
    Router router_;
};

constexpr const char* kPrimary = "projects/p/branches/production/endpoints/primary";

TEST_F(ApiTest, CreatedProjectIsAnOperationThenAResponse) {
    Response made =
        send("POST", "projects", R"({"spec":{"display_name":"My App","pg_version":"17"}})",
             {{"project_id", "p"}});
    ASSERT_EQ(made.status, 200) << failure(made);
    std::string name = made.body["name"];
    EXPECT_TRUE(name.starts_with("projects/p/operations/"));
    EXPECT_EQ(made.body["done"], false);
    EXPECT_FALSE(made.body.contains("error"));
    EXPECT_FALSE(made.body.contains("response"));
    EXPECT_EQ(made.body["metadata"]["@type"],
              "type.googleapis.com/databricks.postgres.v1.ProjectOperationMetadata");
    settle();
    Response done = send("GET", name);
    EXPECT_EQ(done.body["done"], true);
    EXPECT_EQ(done.body["response"], send("GET", "projects/p").body);
}

// The shape of section 2.1 of the contract, to the last key.
TEST_F(ApiTest, ProjectHasTheContractsShape) {
    make_project("p", R"({"spec":{"display_name":"My App"}})");
    Json project = send("GET", "projects/p").body;
    std::string uid = project["uid"];
    EXPECT_EQ(uid.size(), 36u);
    EXPECT_EQ(project, Json::parse(fmt::format(R"({{
        "name":"projects/p","project_id":"p","uid":"{}",
        "create_time":"2027-01-15T08:00:00Z","update_time":"2027-01-15T08:00:00Z",
        "status":{{"project_id":"p","display_name":"My App","pg_version":17,
           "owner":"jane@example.com",
          "default_branch":"projects/p/branches/production","history_retention_duration":"604800s",
          "enable_pg_native_login":false,"branch_logical_size_limit_bytes":8796093022208,
          "synthetic_storage_size_bytes":31760384,
          "default_endpoint_settings":{{"autoscaling_limit_min_cu":1,"autoscaling_limit_max_cu":1,
            "suspend_timeout_duration":"86400s"}},
          "compute_last_active_time":"2027-01-15T08:00:00Z"}}}})",
                                               uid)));
}

TEST_F(ApiTest, BranchHasTheContractsShape) {
    make_project("p");
    make_branch("dev", R"({"ttl":"604800s"})");
    Json branch = send("GET", "projects/p/branches/dev").body;
    std::string uid = branch["uid"];
    EXPECT_EQ(branch, Json::parse(fmt::format(R"({{
        "name":"projects/p/branches/dev","branch_id":"dev","parent":"projects/p","uid":"{}",
        "create_time":"2027-01-15T08:00:00Z","update_time":"2027-01-15T08:00:00Z",
        "status":{{"branch_id":"dev","current_state":"READY",
           "state_change_time":"2027-01-15T08:00:00Z",
          "default":false,"is_protected":false,"logical_size_bytes":31760384,
          "source_branch":"projects/p/branches/production","source_branch_lsn":"0/1B3C4D8",
          "source_branch_time":"1970-01-01T00:00:01Z","expire_time":"2027-01-22T08:00:00Z"}}}})",
                                              uid)));
    Json root = send("GET", "projects/p/branches/production").body;
    EXPECT_EQ(root["status"]["default"], true);
    for (const char* key : {"source_branch", "source_branch_lsn", "source_branch_time",
                            "expire_time", "pending_state"})
        EXPECT_FALSE(root["status"].contains(key)) << key;
}

TEST_F(ApiTest, EndpointHasTheContractsShape) {
    make_project("p");
    Json endpoint = send("GET", "projects/p/branches/production/endpoints/ep-primary").body;
    std::string uid = endpoint["uid"];
    EXPECT_EQ(endpoint, Json::parse(fmt::format(R"({{
        "name":"{}","endpoint_id":"primary","parent":"projects/p/branches/production","uid":"{}",
        "create_time":"2027-01-15T08:00:00Z","update_time":"2027-01-15T08:00:00Z",
        "status":{{"endpoint_id":"primary","endpoint_type":"ENDPOINT_TYPE_READ_WRITE",
           "current_state":"ACTIVE",
          "disabled":false,"autoscaling_limit_min_cu":1,"autoscaling_limit_max_cu":1,
          "suspend_timeout_duration":"86400s","hosts":{{"host":"127.77.0.1"}},
          "group":{{"min":1,"max":1,"enable_readable_secondaries":false}},"settings":{{}},
          "last_active_time":"2027-01-15T08:00:00Z"}}}})",
                                                kPrimary, uid)));
}

TEST_F(ApiTest, RoleAndDatabaseHaveTheContractsShape) {
    make_project("p");
    Json role = send("GET", "projects/p/branches/production/roles/jane").body;
    EXPECT_EQ(role["status"], Json::parse(R"({"role_id":"jane","postgres_role":"jane@example.com",
        "identity_type":"USER","auth_method":"LAKEBASE_OAUTH_V1",
        "attributes":{"createdb":true,"createrole":true,"bypassrls":true},
        "membership_roles":["DATABRICKS_SUPERUSER"]})"));
    Json database =
        send("GET", "projects/p/branches/production/databases/databricks-postgres").body;
    EXPECT_EQ(database["status"], Json::parse(R"({"database_id":"databricks-postgres",
        "postgres_database":"databricks_postgres",
         "role":"projects/p/branches/production/roles/jane"})"));
    EXPECT_EQ(send("GET", "projects/p/branches/production/roles").body["roles"].size(), 1u);
    EXPECT_EQ(failure(send("GET", "projects/p/branches/production/roles/none")).substr(0, 46),
              "404 NOT_FOUND role not found; role_id:\"none\" [");
}

TEST_F(ApiTest, NoAnswerEverEchoesTheSpec) {
    make_project(
        "p",
        R"({"spec":{"display_name":"x"},"initial_endpoint_spec":{"autoscaling_limit_max_cu":4}})");
    for (const char* path :
         {"projects/p", "projects", "projects/p/branches/production", "projects/p/branches",
          kPrimary, "projects/p/branches/production/endpoints"})
        EXPECT_EQ(send("GET", path).body.dump().find("\"spec\""), std::string::npos) << path;
    EXPECT_EQ(send("GET", kPrimary).body["status"]["autoscaling_limit_max_cu"], 4);
}

TEST_F(ApiTest, DeleteEndsWithEmpty) {
    make_project("p");
    make_branch("dev");
    std::string name = send("DELETE", "projects/p/branches/dev").body["name"];
    settle();
    Json done = send("GET", name).body;
    EXPECT_EQ(done["done"], true);
    EXPECT_EQ(done["response"],
              Json::parse(R"({"@type":"type.googleapis.com/google.protobuf.Empty"})"));
    EXPECT_EQ(
        send("DELETE", "projects/p/branches/none", "", {{"allow_missing", "true"}}).body["done"],
        true);
}

TEST_F(ApiTest, OperationOfAGoneResourceStillHasAResponse) {
    Response made = send("POST", "projects", "{}", {{"project_id", "p"}});
    settle();
    std::string deleted = send("DELETE", "projects/p", "", {{"purge", "true"}}).body["name"];
    settle();
    EXPECT_EQ(send("GET", made.body["name"]).body["response"],
              Json::parse(R"({"name":"projects/p"})"));
    EXPECT_EQ(send("GET", deleted).body["done"], true);
    EXPECT_EQ(send("GET", "projects/p").status, 404);
}

TEST_F(ApiTest, FailedOperationHasAnErrorAndNoResponse) {
    computes_.before_call = [](const std::string&) -> Result<void> {
        return error(Code::no_space, "the disk is full");
    };
    Response made = send("POST", "projects", "{}", {{"project_id", "p"}});
    settle();
    computes_.before_call = nullptr;
    while (send("GET", made.body["name"]).body["done"] == false) settle();
    Json done = send("GET", made.body["name"]).body;
    EXPECT_EQ(done["error"]["error_code"], "RESOURCE_LIMIT_EXCEEDED");
    EXPECT_NE(done["error"]["message"].get<std::string>().find("the disk is full"),
              std::string::npos);
    EXPECT_FALSE(done.contains("response"));
}

TEST_F(ApiTest, MasksSayWhatToChange) {
    make_project("p");
    auto status = [&] { return send("GET", kPrimary).body["status"]; };
    // What Python's constructor always sends along does not matter.
    EXPECT_EQ(
        patch(kPrimary, R"({"endpoint_type":"ENDPOINT_TYPE_READ_WRITE","autoscaling_limit_min_cu":2,
        "autoscaling_limit_max_cu":8.0})",
              "spec.autoscaling_limit_min_cu,spec.autoscaling_limit_max_cu")
            .status,
        200);
    EXPECT_EQ(status()["autoscaling_limit_max_cu"], 8);
    EXPECT_EQ(patch(kPrimary, R"({"autoscaling_limit_max_cu":4,"disabled":true})",
                    "spec.autoscaling_limit_max_cu")
                  .status,
              200);
    EXPECT_EQ(status()["disabled"], false) << "not in the mask";
    EXPECT_EQ(patch(kPrimary, R"({"suspend_timeout_duration":"300s"})", "spec.suspension").status,
              200);
    EXPECT_EQ(status()["suspend_timeout_duration"], "300s");
    EXPECT_EQ(
        patch(kPrimary, R"({"suspend_timeout_duration":"600s"})", "spec.suspend_timeout_duration")
            .status,
        200);
    EXPECT_EQ(status()["suspend_timeout_duration"], "600s");
    EXPECT_EQ(
        patch(kPrimary, R"({"suspend_timeout_duration":"0s"})", "spec.suspend_timeout_duration")
            .status,
        200);
    EXPECT_EQ(status()["suspend_timeout_duration"], "0s");
    EXPECT_EQ(patch(kPrimary, R"({"no_suspension":true})", "spec.suspension").status, 200);
    EXPECT_EQ(patch(kPrimary, R"({"settings":{"pg_settings":{"work_mem":"8MB"}}})",
                    "spec.settings.pg_settings")
                  .status,
              200);
    settle();
    EXPECT_EQ(status()["settings"]["pg_settings"]["work_mem"], "8MB");
    EXPECT_EQ(patch("projects/p", R"({"display_name":"New"})", "spec.display_name").status, 200);
    EXPECT_EQ(patch("projects/p", R"({"default_endpoint_settings":{"no_suspension":true}})",
                    "spec.default_endpoint_settings.suspension")
                  .status,
              200);
    EXPECT_EQ(patch("projects/p", R"({"display_name":"Terraform"})",
                    "initial_branch_spec,initial_endpoint_spec,spec")
                  .status,
              200);
    Json project = send("GET", "projects/p").body["status"];
    EXPECT_EQ(project["display_name"], "Terraform");
    EXPECT_EQ(project["default_endpoint_settings"]["no_suspension"], true);
    make_branch("dev");
    EXPECT_EQ(patch("projects/p/branches/dev", R"({"is_protected":true,"ttl":"60s"})",
                    "spec.is_protected")
                  .status,
              200);
    Json branch = send("GET", "projects/p/branches/dev").body["status"];
    EXPECT_EQ(branch["is_protected"], true);
    EXPECT_FALSE(branch.contains("expire_time"));
}

TEST_F(ApiTest, BadInputIsTheContractsErrorAndChangesNothing) {
    make_project("p");
    auto creation = [&](const std::string& body, const std::string& id) {
        return failure(send("POST", "projects", body, {{"project_id", id}}));
    };
    EXPECT_EQ(creation("{}", ""),
              "400 INVALID_PARAMETER_VALUE Field 'project_id' is required, expected non-default "
              "value (not \"\")!");
    for (const char* body : {"", "{", "[]", "null", "\"x\"", "\xff\xfe", "[[[[[["})
        EXPECT_EQ(creation(body, "x").substr(0, 21), "400 MALFORMED_REQUEST") << body;
    for (const char* body :
         {R"({"spec":1})", R"({"spec":{"pg_version":{}}})", R"({"spec":{"pg_version":"x"}})",
          R"({"spec":{"pg_version":17.5}})", R"({"spec":{"pg_version":18446744073709551615}})",
          R"({"spec":{"display_name":5}})", R"({"spec":{"history_retention_duration":"1"}})",
          R"({"spec":{"history_retention_duration":604800}})", R"({"spec":{"custom_tags":[1]}})",
          R"({"spec":{"default_endpoint_settings":{"pg_settings":{"fsync":"off"}}}})",
          R"({"spec":{"default_endpoint_settings":{"no_suspension":false}}})",
          R"({"initial_endpoint_spec":{"autoscaling_limit_max_cu":"4"}})"})
        EXPECT_EQ(creation(body, "x").substr(0, 27), "400 INVALID_PARAMETER_VALUE") << body;
    EXPECT_EQ(send("GET", "projects/x").status, 404);
    EXPECT_EQ(
        failure(patch(kPrimary, R"({"autoscaling_limit_max_cu":32,"autoscaling_limit_min_cu":0.5})",
                      "spec"))
            .substr(0, 27),
        "400 INVALID_PARAMETER_VALUE");
    EXPECT_EQ(failure(patch(kPrimary, "{}", "spec.nothing")),
              "400 INVALID_PARAMETER_VALUE Unknown field path in update_mask: 'spec.nothing'");
    EXPECT_EQ(failure(patch(kPrimary, "{}", "spec.disabled")),
              "400 INVALID_PARAMETER_VALUE Field 'spec.disabled' is in update_mask but not "
              "provided in request");
    EXPECT_EQ(failure(patch("projects/p", R"({"pg_version":16})", "spec.pg_version")),
              "400 INVALID_PARAMETER_VALUE Field 'spec.pg_version' cannot be updated");
    auto branch = [&](const std::string& spec) {
        return failure(send("POST", "projects/p/branches", R"({"spec":)" + spec + "}",
                            {{"branch_id", "x"}}))
            .substr(0, 3);
    };
    for (const char* spec :
         {"{}", R"({"no_expiry":false})", R"({"no_expiry":true,"ttl":"3600s"})", R"({"ttl":"-5s"})",
          R"({"ttl":"2592001s"})", R"({"expire_time":"2001-01-01T00:00:00Z"})",
          R"({"expire_time":"tomorrow"})", R"({"no_expiry":true,"source_branch_lsn":"nonsense"})",
          R"({"no_expiry":true,"source_branch_lsn":"FF/0"})",
          R"({"no_expiry":true,"source_branch":"x"})"})
        EXPECT_EQ(branch(spec), "400") << spec;
    EXPECT_EQ(branch(R"({"no_expiry":true,"source_snapshot":"x"})"), "400");
    EXPECT_EQ(send("GET", "projects/p/branches").body["branches"].size(), 1u);
}

TEST_F(ApiTest, RestoreAndResetNameWhatTheyPreserve) {
    make_project("p");
    make_branch("dev");
    auto restored = send("POST", "projects/p/branches/production:restore",
                         R"({"source_branch_lsn":"0/1A00000","preserved_branch_id":"kept"})");
    ASSERT_EQ(restored.status, 200) << failure(restored);
    EXPECT_EQ(restored.body["metadata"]["preserved_branch"], "projects/p/branches/kept");
    auto meanwhile = send("GET", "projects/p/branches/production").body["status"];
    EXPECT_EQ(meanwhile["current_state"], "RESETTING");
    EXPECT_EQ(meanwhile["pending_state"], "READY");
    settle();
    auto done = send("GET", restored.body["name"]).body;
    EXPECT_EQ(done["response"]["status"]["current_state"], "READY");
    EXPECT_EQ(done["metadata"]["preserved_branch"], "projects/p/branches/kept");
    auto reset = send("POST", "projects/p/branches/dev:reset", "{}");
    ASSERT_EQ(reset.status, 200) << failure(reset);
    EXPECT_FALSE(reset.body["metadata"].contains("preserved_branch"));
    settle();
    EXPECT_EQ(send("GET", "projects/p/branches").body["branches"].size(), 3u);
    for (const char* body : {R"({"preserved_branch_id":""})", R"({"source_branch_tme":"now"})",
                             R"({"spec":{}})", R"({"preserve":null})"})
        EXPECT_EQ(failure(send("POST", "projects/p/branches/dev:reset", body)).substr(0, 3), "400")
            << body;
    EXPECT_EQ(failure(send("POST", "projects/p/branches/dev:undo", "{}")).substr(0, 3), "405");
}

TEST_F(ApiTest, SnapshotsAndSchedulesHaveTheNewestShapes) {
    make_project("p");
    auto made = send("POST", "projects/p/snapshots",
                     R"({"spec":{"source_branch":"projects/p/branches/production","ttl":"3600s"}})",
                     {{"snapshot_id", "s"}});
    ASSERT_EQ(made.status, 200) << failure(made);
    EXPECT_EQ(made.body["metadata"]["@type"],
              "type.googleapis.com/databricks.postgres.v1.SnapshotOperationMetadata");
    settle();
    auto snapshot = send("GET", made.body["name"]).body["response"];
    EXPECT_EQ(snapshot, send("GET", "projects/p/snapshots/s").body);
    EXPECT_EQ(snapshot["name"], "projects/p/snapshots/s");
    EXPECT_EQ(snapshot["status"]["source_branch"], "projects/p/branches/production");
    EXPECT_EQ(snapshot["status"]["full_size_bytes"], 31760384);
    EXPECT_FALSE(snapshot["status"].contains("no_expiry"));
    EXPECT_TRUE(snapshot["status"].contains("expire_time"));
    make_branch("again", R"({"no_expiry":true,"source_snapshot":"projects/p/snapshots/s"})");
    EXPECT_EQ(send("GET", "projects/p/branches/again").body["status"]["source_snapshot"],
              "projects/p/snapshots/s");
    auto gone = send("DELETE", "projects/p/snapshots/s");
    settle();
    EXPECT_TRUE(send("GET", gone.body["name"]).body["done"]);
    EXPECT_EQ(send("GET", "projects/p/snapshots").body["snapshots"].size(), 0u);

    const char* schedule = "projects/p/branches/production/snapshot-schedule";
    EXPECT_EQ(send("GET", schedule).body.dump(),
              R"({"name":"projects/p/branches/production/snapshot-schedule","schedule":[]})");
    const char* wanted =
        R"({"schedule":[{"daily_schedule":{},"retention":"86400s"},)"
        R"({"retention":"604800s","weekly_schedule":{"day_of_week":"SUNDAY","hour":3}},)"
        R"({"monthly_schedule":{"day":31,"hour":23},"retention":"2592000s"}]})";
    auto set = send("PATCH", schedule, wanted, {{"update_mask", "schedule"}});
    ASSERT_EQ(set.status, 200) << failure(set);
    EXPECT_TRUE(set.body["done"]);
    set.body = set.body["response"];
    EXPECT_EQ(set.body["schedule"][0]["daily_schedule"]["hour"], 0);
    EXPECT_EQ(set.body["schedule"][1]["weekly_schedule"]["day_of_week"], "SUNDAY");
    EXPECT_EQ(set.body["schedule"][2]["monthly_schedule"]["day"], 31);
    for (const char* bad :
         {R"({"schedule":[{"retention":"86400s"}]})", R"({"schedule":[{"daily_schedule":{}}]})",
          R"({"schedule":[{"daily_schedule":{"hour":24},"retention":"86400s"}]})",
          R"({"schedule":[{"daily_schedule":{},"monthly_schedule":{"day":1},)"
          R"("retention":"86400s"}]})",
          R"({"schedule":[{"weekly_schedule":{"day_of_week":"SOMEDAY"},"retention":"86400s"}]})"})
        EXPECT_EQ(failure(send("PATCH", schedule, bad, {{"update_mask", "schedule"}})).substr(0, 3),
                  "400")
            << bad;
    EXPECT_EQ(send("GET", schedule).body, set.body) << "a refused one changes nothing";
}

TEST_F(ApiTest, ManagedByParentIsInTheDetails) {
    make_project("p");
    for (const char* path : {"projects/p/branches/production", kPrimary}) {
        Response refused = send("DELETE", path);
        EXPECT_EQ(refused.status, 400);
        EXPECT_EQ(refused.body["error_code"], "BAD_REQUEST");
        Json detail = refused.body["details"][0];
        EXPECT_EQ(detail["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
        EXPECT_EQ(detail["metadata"]["declarative_context"], "MANAGED_BY_PARENT");
        EXPECT_FALSE(refused.body.contains("error"));
        EXPECT_FALSE(refused.body.contains("detail"));
    }
}

TEST_F(ApiTest, UnknownPathsAndMethodsAreErrorsToo) {
    EXPECT_EQ(failure(send("GET", "nothing")).substr(0, 61),
              "404 NOT_FOUND No API found for 'GET /api/2.0/postgres/nothing");
    Response wrong = send("PUT", "projects");
    EXPECT_EQ(wrong.status, 405);
    EXPECT_EQ(wrong.headers["Allow"], "POST, GET");
    EXPECT_FALSE(wrong.body["error_code"].get<std::string>().empty());
}

TEST_F(ApiTest, TokenIsNeededEverywhereButWhereItCannotBe) {
    Request request;
    request.method = "GET";
    for (const char* path : {"/api/2.0/postgres/projects", "/api/2.0/preview/scim/v2/Me",
                             "/api/tarn/v1/status", "/api/2.0/database/instances"})
        for (const char* authorization :
             {"", "Bearer", "Bearer ", "Bearer x", "Basic x", "bearer"}) {
            request.path = path;
            Response refused = handle(router_, *control_, request, authorization);
            EXPECT_EQ(refused.status, 401) << path << " " << authorization;
            EXPECT_EQ(refused.body["error_code"], "UNAUTHENTICATED");
        }
    for (const char* path : {"/healthz", "/.well-known/databricks-config"}) {
        request.path = path;
        EXPECT_EQ(handle(router_, *control_, request, "").status, 200) << path;
    }
}

TEST_F(ApiTest, CurrentUserCarriesTheWorkspaceInAHeader) {
    Response me = send("GET", "/api/2.0/preview/scim/v2/Me");
    EXPECT_EQ(me.body["userName"], "jane@example.com");
    EXPECT_EQ(me.headers["X-Databricks-Org-Id"], info_.workspace_id);
    EXPECT_EQ(send("GET", "/.well-known/databricks-config").body["workspace_id"],
              info_.workspace_id);
    EXPECT_EQ(send("GET", "/api/2.0/database/instances").body,
              Json::parse(R"({"database_instances":[],"next_page_token":""})"));
    EXPECT_EQ(failure(send("GET", "/api/2.0/database/instances/x")),
              "400 BAD_REQUEST Lakebase Provisioned is not available here");
}

TEST_F(ApiTest, CredentialIsAnsweredAtOnce) {
    make_project("p");
    Response made = send("POST", "credentials", fmt::format(R"({{"endpoint":"{}"}})", kPrimary));
    ASSERT_EQ(made.status, 200) << failure(made);
    EXPECT_EQ(made.body.size(), 2u);
    EXPECT_TRUE(made.body["token"].is_string());
    EXPECT_EQ(made.body["expire_time"], "2027-01-15T09:00:00Z");
    EXPECT_EQ(failure(send("POST", "credentials",
                           fmt::format(R"({{"endpoint":"{}","claims":[{{}}]}})", kPrimary))),
              "400 INVALID_PARAMETER_VALUE Unsupported permission set");
}

TEST_F(ApiTest, PagesCoverEverythingOnce) {
    make_project("p");
    for (const char* id : {"a", "b", "c", "d", "e"}) make_branch(id);
    std::vector<std::string> ids;
    std::string next;
    int pages = 0;
    do {
        Json page =
            send("GET", "projects/p/branches", "", {{"page_size", "2"}, {"page_token", next}}).body;
        EXPECT_LE(page["branches"].size(), 2u);
        for (const Json& branch : page["branches"]) ids.push_back(branch["branch_id"]);
        next = page.value("next_page_token", "");
        ++pages;
    } while (!next.empty());
    EXPECT_EQ(ids, (std::vector<std::string>{"a", "b", "c", "d", "e", "production"}));
    EXPECT_EQ(pages, 3);
}

TEST_F(ApiTest, StatusShowsWhatRuns) {
    make_project("p");
    Json status = send("GET", "/api/tarn/v1/status").body;
    EXPECT_EQ(status["postgres_versions"], (Json{16, 17, 18}));
    Json endpoint = status["projects"][0]["branches"][0]["endpoints"][0];
    EXPECT_EQ(endpoint["state"], "running");
    EXPECT_EQ(endpoint["host"], "127.77.0.1");
}

class ServerTest : public ApiTest {
  protected:
    ServerTest() {
        auto listening = Server::listen("127.0.0.1", 0);
        EXPECT_TRUE(listening.ok()) << message(listening);
        server_ = std::move(listening).value();
        server_->serve(*control_, info_);
    }
    httplib::Client client() {
        httplib::Client made("127.0.0.1", server_->port());
        made.set_bearer_token_auth(token_);
        return made;
    }
    // The answer to a request without a body, and with no more headers than it needs.
    std::string exchange(const std::string& line) {
        auto address = sys::SocketAddress::parse("127.0.0.1", server_->port()).value();
        sys::Descriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
        EXPECT_EQ(::connect(socket.fd(), address.raw(), address.raw_bytes()), 0);
        std::string request = line + "\r\nHost: x\r\nAuthorization: Bearer " + token_ +
                              "\r\nConnection: close\r\n\r\n";
        EXPECT_EQ(::send(socket.fd(), request.data(), request.size(), 0), std::ssize(request));
        std::string answer;
        char piece[4096];
        for (ssize_t got; (got = ::recv(socket.fd(), piece, sizeof piece, 0)) > 0;)
            answer.append(piece, static_cast<size_t>(got));
        return answer;
    }
    std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersOverHttpWithQueriesAndBodies) {
    httplib::Client http = client();
    http.set_keep_alive(true);
    auto made = http.Post("/api/2.0/postgres/projects?project_id=p", "{}", "application/json");
    ASSERT_TRUE(made);
    EXPECT_EQ(made->status, 200);
    settle();
    auto read = http.Get("/api/2.0/postgres/projects/p");
    EXPECT_EQ(Json::parse(read->body)["project_id"], "p");
    EXPECT_EQ(read->get_header_value("Content-Type"), "application/json");
    EXPECT_FALSE(read->get_header_value("X-Request-Id").empty());
    // The mask's comma may come as %2C, a wrong path with anything in it.
    auto patched = http.Patch(
        "/api/2.0/postgres/projects/p?update_mask=spec.display_name%2Cspec.enable_pg_native_login",
        R"({"spec":{"display_name":"x","enable_pg_native_login":true}})", "application/json");
    EXPECT_EQ(patched->status, 200) << patched->body;
    EXPECT_EQ(http.Get("/api/2.0/postgres/%2e%2e/%0a%ff")->status, 404);
    EXPECT_EQ(http.Put("/api/2.0/postgres/projects", "{}", "application/json")->status, 405);
    EXPECT_EQ(http.Options("/api/2.0/postgres/projects")->status, 405);
}

TEST_F(ServerTest, LibrarysOwnRefusalsAreErrorsInTheContractsForm) {
    std::string large = R"({"spec":{"display_name":")" + std::string(3 << 20, 'x') + "\"}}";
    auto refused =
        client().Post("/api/2.0/postgres/projects?project_id=p", large, "application/json");
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 413);
    EXPECT_EQ(Json::parse(refused->body)["error_code"], "INVALID_PARAMETER_VALUE");
    std::string id = refused->get_header_value("X-Request-Id");
    EXPECT_EQ(id.size(), 36u);
    EXPECT_EQ(Json::parse(refused->body)["details"][0]["request_id"], id);
    auto long_path = client().Get("/" + std::string(10000, 'x'));
    EXPECT_EQ(long_path->status, 414);
    EXPECT_TRUE(Json::parse(long_path->body).contains("error_code"));
    EXPECT_EQ(client().Get("/healthz")->status, 200);
}

// As curl and Go send them; the SDKs announce a length of 0.
TEST_F(ServerTest, RequestThatAnnouncesNoBodyIsAnsweredAtOnce) {
    auto started = std::chrono::steady_clock::now();
    std::string answer = exchange("POST /api/2.0/postgres/projects?project_id=p HTTP/1.1");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400")) << answer;
    Json body = Json::parse(answer.substr(answer.find("\r\n\r\n")));
    EXPECT_EQ(body["error_code"], "MALFORMED_REQUEST");
    EXPECT_EQ(body["details"][0]["request_id"].get<std::string>().size(), 36u);
    make_project("p");
    answer = exchange("DELETE /api/2.0/postgres/projects/p HTTP/1.1");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
    // The library's time for a body is five seconds, each time.
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds{5});
}

TEST_F(ServerTest, PortIsHeldBeforeItIsServedAndGivenBack) {
    uint16_t port = 0;
    {
        auto waiting = Server::listen("127.0.0.1", 0);
        ASSERT_TRUE(waiting.ok()) << message(waiting);
        port = (*waiting)->port();
        EXPECT_FALSE(Server::listen("127.0.0.1", port).ok());
    }
    EXPECT_TRUE(Server::listen("127.0.0.1", port).ok());
}

TEST_F(ServerTest, DeepNestingDoesNotEndTheServer) {
    for (std::string unit : {std::string("["), std::string(R"({"a":)")}) {
        std::string body;
        while (body.size() < 900000) body += unit;
        EXPECT_EQ(client()
                      .Post("/api/2.0/postgres/projects?project_id=p", body, "application/json")
                      ->status,
                  400);
    }
    std::string closed = R"({"spec":)" + std::string(400000, '[') + std::string(400000, ']') + "}";
    EXPECT_EQ(client()
                  .Post("/api/2.0/postgres/projects?project_id=p", closed, "application/json")
                  ->status,
              400);
    EXPECT_EQ(client().Get("/healthz")->status, 200);
}

TEST_F(ServerTest, TakenPortIsNamed) {
    auto second = Server::listen("127.0.0.1", server_->port());
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.error().text().find(std::to_string(server_->port())), std::string::npos)
        << second.error().text();
    EXPECT_NE(second.error().text().find("in use"), std::string::npos) << second.error().text();
}

TEST_F(ServerTest, WaitForAnOperationIsHeldUntilItIsDone) {
    auto made = client().Post("/api/2.0/postgres/projects?project_id=p", "{}", "application/json");
    std::string name = Json::parse(made->body)["name"];
    std::jthread working([&] {
        settle();
        control_->core().board.announce();
    });
    auto done = client().Get("/api/2.0/postgres/" + name);
    EXPECT_EQ(Json::parse(done->body)["done"], true);
}

}  // namespace
}  // namespace tarn::api
