# A real Rails application in one file, for the end-to-end tests: pages, a form, JSON, an upload, an event stream
# and an ActionCable echo. Needs Debian's ruby-rails, ruby-actioncable and puma; no database.
#
#   puma -b tcp://127.0.0.1:3000 -t 5:5 tests/rails/config.ru
#
# REQUEST_LOG=FILE records every request that reached the application, one JSON object a line.
require "rails"
require "action_controller/railtie"
require "action_cable/engine"
require "digest"
require "json"
require "logger"
require "securerandom"

# Notes what reached the application, before Rails has a say: the tests count and read it.
class RequestLog
  def initialize(app)
    @app = app
    path = ENV["REQUEST_LOG"]
    @file = path && File.open(path, "a").tap { |file| file.sync = true }
  end

  def call(env)
    if @file
      fields = env.select { |name, value| name.start_with?("HTTP_") && value.is_a?(String) }
      @file.write(JSON.generate(method: env["REQUEST_METHOD"], path: env["PATH_INFO"], query: env["QUERY_STRING"],
                                fields: fields.transform_values { |value| value.dup.force_encoding("UTF-8").scrub }) + "\n")
    end
    @app.call(env)
  end
end

class TestApplication < Rails::Application
  config.root = __dir__
  config.eager_load = false
  config.consider_all_requests_local = false
  config.secret_key_base = SecureRandom.hex(32)
  config.log_level = :warn
  config.logger = Logger.new($stderr)
  config.hosts.clear
  config.session_store :cookie_store, key: "_session"
  config.action_cable.mount_path = "/cable"
  config.action_cable.disable_request_forgery_protection = true
  config.action_cable.cable = {"adapter" => "async"}
  config.middleware.insert_before 0, RequestLog

  routes.append do
    root to: "pages#index"
    get "/up" => "pages#up"
    get "/fields" => "pages#fields"
    get "/form" => "pages#form"
    get "/redirect" => "pages#redirect"
    get "/empty" => "pages#empty"
    get "/cached" => "pages#cached"
    get "/slow" => "pages#slow"
    get "/api/articles" => "api#index"
    post "/api/articles" => "api#create"
    post "/articles" => "pages#create"
    post "/upload" => "pages#upload"
    get "/events" => "events#index"
  end
end

class PagesController < ActionController::Base
  protect_from_forgery with: :exception, except: :upload

  def index
    render inline: "<!doctype html><title>Station</title><h1>Welcome</h1><p><%= request.host %></p>"
  end

  def up = render(plain: "up")

  def fields
    received = request.env.select { |name, value| name.start_with?("HTTP_") && value.is_a?(String) }
    render json: {fields: received, remote_ip: request.remote_ip, host: request.host, scheme: request.scheme,
                  request_id: request.request_id, original: request.original_url}
  end

  def form
    render inline: '<%= form_with(url: "/articles") { |form| form.text_field(:title) + form.submit } %>'
  end

  def create = render(plain: "created #{params.require(:title)}", status: :created)

  def redirect = redirect_to("/form")

  def empty = head(:no_content)

  def cached
    render plain: "the same as ever" if stale?(etag: "constant")
  end

  def slow
    sleep params[:seconds].to_f
    render plain: "slept"
  end

  def upload
    file = params.require(:file)
    content = file.read
    render json: {name: file.original_filename, size: content.bytesize, sha256: Digest::SHA256.hexdigest(content)}
  end
end

class ApiController < ActionController::API
  def index = render(json: {articles: [{id: 1, title: "関所"}]})

  def create = render(json: {id: 2, title: params.require(:title)}, status: :created)
end

class EventsController < ActionController::Base
  include ActionController::Live

  def index
    response.headers["Content-Type"] = "text/event-stream"
    response.headers["Last-Modified"] = Time.now.httpdate  # or Rack::ETag would hold the stream back to hash it
    count = params.fetch(:count, 5).to_i
    pause = params.fetch(:pause, 0.2).to_f
    count.times do |number|
      response.stream.write("data: {\"number\":#{number}}\n\n")
      sleep pause unless number == count - 1
    end
  ensure
    response.stream.close
  end
end

module ApplicationCable
  class Connection < ActionCable::Connection::Base
  end

  class Channel < ActionCable::Channel::Base
  end
end

class EchoChannel < ApplicationCable::Channel
  def echo(data) = transmit({echo: data["text"]})
end

TestApplication.initialize!
run TestApplication
