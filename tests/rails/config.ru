# A real Rails application in one file, for the end-to-end tests: pages, a form, JSON, uploads, downloads, an event stream,
# an ActionCable echo, and a page that uses all of them in a browser. Needs Debian's ruby-rails, ruby-actioncable and puma; no database.
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
  config.middleware.use Rack::Deflater, if: ->(env, *) { env["PATH_INFO"] == "/compressed" }

  routes.append do
    root to: "pages#index"
    get "/up" => "pages#up"
    get "/fields" => "pages#fields"
    get "/form" => "pages#form"
    get "/redirect" => "pages#redirect"
    get "/empty" => "pages#empty"
    get "/cached" => "pages#cached"
    get "/slow" => "pages#slow"
    get "/download" => "pages#download"
    get "/compressed" => "pages#compressed"
    get "/refused" => "pages#refused"
    get "/browser" => "browser#page"
    get "/browser/done" => "browser#wait"
    post "/browser/done" => "browser#done"
    get "/api/articles" => "api#index"
    post "/api/articles" => "api#create"
    post "/articles" => "pages#create"
    post "/upload" => "pages#upload"
    put "/store" => "pages#store"
    get "/events" => "events#index"
    mount Rack::Files.new(__dir__), at: "/files"
  end
end

class PagesController < ActionController::Base
  protect_from_forgery with: :exception, except: [:upload, :store]

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

  # As many bytes as asked for, which a client can check: each is the last digit of its place.
  def download
    size = params.require(:bytes).to_i
    response.headers["Last-Modified"] = Time.now.httpdate  # or Rack::ETag would hash it all
    render body: ("0123456789" * (size / 10 + 1))[0, size], content_type: "application/octet-stream"
  end

  def compressed = render(plain: "the same line again and again\n" * 1000)

  # What an application says that has no WebSocket there.
  def refused = render(plain: "no WebSocket here", status: params.require(:status).to_i)

  def store
    content = request.body.read
    render json: {size: content.bytesize, sha256: Digest::SHA256.hexdigest(content)}
  end

  def upload
    file = params.require(:file)
    content = file.read
    render json: {name: file.original_filename, size: content.bytesize, sha256: Digest::SHA256.hexdigest(content)}
  end
end

# A page that does what pages do, and a picture on it that comes when its script is done.
class BrowserController < ActionController::Base
  PAGE = File.read(File.join(__dir__, "browser.html.erb"))
  FINISHED = Queue.new
  protect_from_forgery with: :exception, except: :done

  def page = render(inline: PAGE)

  def wait
    FINISHED.pop
    head :no_content
  end

  def done
    FINISHED.push(true)
    head :no_content
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

  # The server closes, as it does with a session that ended.
  def leave(data) = connection.close(reason: data["reason"], reconnect: false)
end

TestApplication.initialize!
run TestApplication
